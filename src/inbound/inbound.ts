import { badOption, CloseCode } from '../errors.ts'
import { answerTypes } from '../schema/message-type.ts'
import type { Session } from '../session/session.ts'
import type { Observer } from '../telemetry/observer.ts'
import { after, isThenable } from '../thenable.ts'
import type { Allowance, InboundState } from './allowance.ts'
import { createInboundState, noteRefusal, refuseFast, refuseFastType } from './allowance.ts'
import { refuseUnauthorized } from './authorize.ts'
import { compileBinary, readBinary } from './binary.ts'
import type { SanitizeHtml, Sender, Senders } from './cleaning.ts'
import { sanitizeMessage } from './cleaning.ts'
import { refuseStaleSession } from './fresh-auth.ts'
import type { ParsedMessage } from './parse.ts'
import { parseMessage, readText } from './parse.ts'
import type { Rate } from './rate.ts'
import { compilePerMinute, compileRate } from './rate.ts'
import type { CompiledRule, ReceiveRule } from './receive-rule.ts'
import { compileRules, explainRule, pingRule, pingType, refreshRule, refreshType } from './receive-rule.ts'
import type { ReplayGuard } from './replay.ts'
import { createReplayGuard, refuseReplay } from './replay.ts'
import { isOnlyReported, type ReportableRule, type ReportingSocket } from './reported.ts'
import type { InboundVerdict, Refusal, RefusedMessage } from './verdict.ts'
import { broken, refuse } from './verdict.ts'

export type { InboundState, ReceiveRule, Senders }
export { createInboundState, noteRefusal, pingType, refreshType }

/** The `limits` on the messages of one socket. */
export interface InboundLimits {
  /** Messages of one socket. Default 20 per second, 100 at once. */
  readonly messages: Rate
  /**
   * Bytes of one socket. `burst` must not be below `limits.messageBytes`, or the largest message never passes. Default
   * 262,144 per second, 1,048,576 at once.
   */
  readonly bytes: Rate
  /** Objects and arrays of a message that may be open at once, the message included. At most 1,000. Default 32. */
  readonly messageDepth: number
  /**
   * Refused messages and frames over a rate, `perMinute`. One more, and the socket closes: 4429 if that one was too
   * fast, else 1008. Default 20.
   */
  readonly refusals: { readonly perMinute: number }
  /** How long a message's `authorize` may stay unanswered, in ms. Then the message is refused. Default 10,000. */
  readonly lookup: number
}

export interface InboundOptions {
  /** Left out (and `binary` too): a raw route, for which only `admitFrame` is asked. */
  readonly receives: Readonly<Record<string, ReceiveRule>> | undefined
  readonly binary: readonly string[] | undefined
  readonly limits: InboundLimits
  /** Where the route's options stand, for errors: everything below is `<path>.receives`, `<path>.limits` and so on. */
  readonly path: string
  readonly sanitizeHtml: SanitizeHtml
  readonly senders?: Senders
  /** Adds the one inbound type of our own: a new token for the open session. Only where an authenticator has tokens. */
  readonly refreshable?: boolean
  /** Shared by all routes of one plugin instance. Left out, the route has one of its own. */
  readonly replayGuard?: ReplayGuard
  /** Whether a rule is only tried out, at this moment. It may end, and does not begin. Left out, every rule refuses. */
  readonly reports?: (rule: ReportableRule) => boolean
}

/** A declared type, and the steps that its messages pass. */
interface Declared {
  readonly rule: CompiledRule
  readonly steps: readonly Step[]
}

/** What a route receives, as finished values. */
export interface InboundPolicy extends Allowance {
  readonly types: ReadonlyMap<string, Declared> | undefined
  readonly binary: ReadonlySet<string> | undefined
  readonly depth: number
  /** ms for a message's `authorize`. */
  readonly lookup: number
  /** Whether a type has an `authorize`, which is handed the request that opened the socket. */
  readonly needsRequest: boolean
  readonly replayGuard: ReplayGuard
  readonly sanitizeHtml: SanitizeHtml
  readonly senders: Senders
  readonly reports: (rule: ReportableRule) => boolean
  /** The policy as plain values: for a written contract, and for tests. */
  explain(): object
}

const nobody: Senders = Object.freeze({ matter: false, as: <T>(_sender: Sender, work: () => T): T => work() })

/** The socket as this folder sees it. */
export interface InboundSocket extends ReportingSocket {
  readonly policy: InboundPolicy
  readonly state: InboundState
  readonly session: Session | null
  /** The id the session was accepted with: whose nonces count. `undefined` for an anonymous socket. */
  readonly owner: string | undefined
  readonly request: object
  /** Told how long the application took to answer. */
  readonly observer?: Pick<Observer, 'lookup'> | undefined
  /** In ms since the epoch, for what a client or a session dates. It can be set: durations go by the `now` of `receive`. */
  readonly clock: { now(): number }
}

/** @throws SWS_BAD_OPTION with the option's full path */
export function compileInbound(options: InboundOptions): InboundPolicy {
  const { receives, limits, path, sanitizeHtml, senders = nobody, replayGuard = createReplayGuard() } = options
  const { reports = () => false } = options
  const rules = receives === undefined ? undefined : compileRules(receives, `${path}.receives`)
  const types = rules && new Map(Array.from(rules, ([type, rule]) => [type, { rule, steps: stepsOf(rule, reports) }]))
  // Of our own types every rule refuses.
  const own = (rule: CompiledRule) => types?.set(rule.type, { rule, steps: stepsOf(rule, () => false) })
  if (rules !== undefined && options.refreshable === true) {
    const rule = refreshRule()
    rules.set(refreshType, rule)
    own(rule)
  }
  // The same on every route that takes messages, and so in no description of one.
  own(pingRule())
  const binary = compileBinary(options.binary, `${path}.binary`)
  const { messageDepth: depth } = limits
  if (!Number.isSafeInteger(depth) || depth < 1 || depth > 1000) {
    throw badOption(`${path}.limits.messageDepth`, depth, 'Write a whole number from 1 to 1,000.')
  }
  return {
    types,
    binary,
    depth,
    lookup: limits.lookup,
    needsRequest: rules !== undefined && [...rules.values()].some(({ authorize }) => authorize !== undefined),
    messages: compileRate(limits.messages, `${path}.limits.messages`),
    bytes: compileRate(limits.bytes, `${path}.limits.bytes`),
    refusals: compilePerMinute(limits.refusals?.perMinute, `${path}.limits.refusals.perMinute`),
    replayGuard,
    sanitizeHtml,
    senders,
    reports,
    explain: () => ({
      receives: rules && Object.fromEntries(Array.from(rules, ([type, rule]) => [type, explainRule(rule)])),
      binary: binary && [...binary],
      limits,
    }),
  }
}

/** A message on its way: what the steps look at. */
interface Arrival {
  readonly rule: CompiledRule
  readonly id: string | number | undefined
  /** As written, envelope included. */
  readonly body: Readonly<Record<string, unknown>>
  /** Without the envelope: what is validated, authorised and delivered. */
  readonly message: object
  readonly socket: InboundSocket
  readonly now: number
}

type Step = (arrival: Arrival) => Refusal | undefined | Promise<Refusal | undefined>

/**
 * The steps that messages of a declared type pass, in this order: cheap before dear, and `authorize` sees what the listener will get.
 * A type has those that it asks for.
 */
function stepsOf(
  { type, schema, pace, replayWindow, freshAuth, authorize }: CompiledRule,
  reports: (rule: ReportableRule) => boolean,
): readonly Step[] {
  // Where nothing is tried out, a message does not pay for the question.
  const of = (rule: ReportableRule, step: Step) => (reports(rule) ? triedOut(rule, step) : step)
  const steps: (Step | undefined)[] = [
    pace && of('messageRate', ({ socket, now }) => refuseFastType(type, pace, socket.state, now)),
    ({ message }) => schema.refuse(message),
    replayWindow === undefined ? undefined : of('replay', (arrival) => refuseUsedNonce(arrival, replayWindow)),
    freshAuth === undefined
      ? undefined
      : of('freshAuth', ({ socket }) => refuseStaleSession(socket.session, freshAuth, socket.clock.now())),
    schema.cleaning && (({ message, socket }) => sanitizeMessage(message, schema, socket.policy.sanitizeHtml)),
    authorize &&
      of('messageAuthorize', ({ message, socket }) =>
        refuseUnauthorized(authorize, socket.session, message, socket.request, socket.policy.lookup, socket.observer),
      ),
  ]
  return steps.filter((step) => step !== undefined)
}

/** The step of a rule that is only tried out: it decides, and what it refuses goes on. What it throws is a broken check, and no verdict. */
function triedOut(rule: ReportableRule, step: Step): Step {
  return (arrival) =>
    after(step(arrival), (refusal) => {
      if (refusal === undefined) return undefined
      return isOnlyReported(rule, refusal, arrival.socket, arrival.now, arrival.rule.type) ? undefined : refusal
    })
}

/**
 * One frame that was admitted in, one verdict out; a promise only where a declared step has to wait. Never throws nor rejects:
 * what a step throws (V8 has no stack for the largest texts, say) is a refusal. Call it once per frame, one after the other, and
 * look again whether the socket may still receive before delivering: rights can be taken away while a promise is pending.
 *
 * @param now milliseconds on a clock that nobody can set
 */
export function receive(
  frame: Buffer,
  isBinary: boolean,
  socket: InboundSocket,
  now: number,
): InboundVerdict | Promise<InboundVerdict> {
  try {
    return isBinary ? receiveBinary(frame, socket, now) : receiveText(frame, socket, now)
  } catch (cause) {
    return refused(broken(cause), socket, now)
  }
}

function receiveText(frame: Buffer, socket: InboundSocket, now: number): InboundVerdict | Promise<InboundVerdict> {
  const { types, depth } = socket.policy
  if (types === undefined) {
    return refused(refuse('SWS_BAD_MESSAGE', 'text on a binary route', CloseCode.UnsupportedData), socket, now)
  }
  const text = readText(frame)
  if (typeof text !== 'string') return refused(text, socket, now)
  const parsed = parseMessage(text, depth)
  if ('code' in parsed) return refused(parsed, socket, now)
  const { type, id, body } = parsed
  const declared = types.get(type)
  if (declared === undefined) {
    return refused(refuse('SWS_UNKNOWN_TYPE', 'not a type this route receives'), socket, now, {
      id: ownId(type, id),
      messageType: type,
    })
  }
  const { rule, steps } = declared
  return walk({ rule, id, body, message: withoutEnvelope(body, rule), socket, now }, steps, 0)
}

/** Takes the steps from `first` on; the rest of the way waits only behind a step that returned a promise. */
function walk(arrival: Arrival, steps: readonly Step[], first: number): InboundVerdict | Promise<InboundVerdict> {
  for (let at = first; at < steps.length; at++) {
    const outcome = taken(steps[at], arrival)
    if (outcome === undefined) continue
    if (isThenable(outcome)) {
      return outcome.then(
        (refusal) => (refusal === undefined ? walk(arrival, steps, at + 1) : turnedAway(refusal, arrival)),
        (cause: unknown) => turnedAway(broken(cause), arrival),
      )
    }
    return turnedAway(outcome, arrival)
  }
  const { rule, id, message } = arrival
  return id === undefined
    ? { kind: 'deliver', type: rule.type, message }
    : { kind: 'deliver', type: rule.type, message, id }
}

function taken(step: Step | undefined, arrival: Arrival): ReturnType<Step> {
  try {
    return step?.(arrival)
  } catch (cause) {
    return broken(cause)
  }
}

function refuseUsedNonce({ body, socket, now: uptime }: Arrival, window: number): ReturnType<Step> {
  // An anonymous socket is its own session: its state lives exactly as long.
  const owner = socket.owner ?? socket.state
  const { policy, clock } = socket
  const time = { now: clock.now(), uptime }
  return refuseReplay({ nonce: body.nonce, at: body.at }, window, owner, policy.replayGuard, time)
}

function withoutEnvelope(body: Readonly<Record<string, unknown>>, { replayWindow }: CompiledRule): object {
  const message: Record<string, unknown> = {}
  // Faster than the rest of a pattern, and no member is named `__proto__`.
  for (const name of Object.keys(body)) {
    if (name === 'type' || name === 'id') continue
    if (replayWindow !== undefined && (name === 'nonce' || name === 'at')) continue
    message[name] = body[name]
  }
  return message
}

async function receiveBinary(frame: Buffer, socket: InboundSocket, now: number): Promise<InboundVerdict> {
  const { binary } = socket.policy
  if (binary === undefined) {
    return refused(refuse('SWS_BINARY_REFUSED', 'binary on a text route', CloseCode.UnsupportedData), socket, now)
  }
  try {
    const read = await readBinary(frame, binary)
    return 'code' in read ? refused(read, socket, now) : read
  } catch (cause) {
    return refused(broken(cause), socket, now)
  }
}

/** A socket whose frames are counted. */
type Counted = Pick<InboundSocket, 'policy' | 'state' | 'reported'>

/**
 * Asked in the turn in which a frame arrives, before it waits for those in front of it: what waits has been counted. Its pace
 * and its bytes (inflated, where compression is on), nothing else; `undefined` lets it through.
 *
 * @param isRaw too fast ends the socket at once (4429): a raw protocol has no error message of ours, and a frame dropped from
 * its middle would be a silent corruption
 */
export function admitFrame(bytes: number, isRaw: boolean, socket: Counted, now: number): RefusedMessage | undefined {
  const refusal = refuseFast(bytes, socket.policy, socket.state, now)
  if (refusal === undefined) return undefined
  const tooFast = isRaw ? { ...refusal, close: CloseCode.TooFast } : refusal
  if (isOnlyReported('messageRate', tooFast, socket, now)) return undefined
  return isRaw ? { kind: 'refuse', ...tooFast } : refused(tooFast, socket, now)
}

/**
 * A refusal of `admitFrame` with the `id` of its message, so that a request ends with it and not at its deadline. Not to read is what
 * the rate is for: but a refusal that closes nothing is one of the few of `limits.refusals`, and as many are read.
 */
export function withId(
  refusal: RefusedMessage,
  frame: Buffer,
  isBinary: boolean,
  { types, depth }: Pick<InboundPolicy, 'types' | 'depth'>,
): RefusedMessage {
  if (types === undefined || isBinary || refusal.close !== undefined) return refusal
  try {
    const text = readText(frame)
    const parsed = typeof text === 'string' ? parseMessage(text, depth) : text
    const id = 'code' in parsed ? undefined : ownId(parsed.type, parsed.id)
    return id === undefined ? refusal : { ...refusal, id }
  } catch {
    return refusal
  }
}

/**
 * A ping or a pong costs one message (RS-01, RS-02); `undefined`: nothing to do. Give a refusal without `close` no answer: a
 * control frame has none, and must not be turned into traffic.
 */
export function countControlFrame(socket: Counted, now: number): RefusedMessage | undefined {
  const tooFast = refuseFast(0, socket.policy, socket.state, now)
  if (tooFast === undefined || isOnlyReported('messageRate', tooFast, socket, now)) return undefined
  return refused(tooFast, socket, now)
}

/** The id of an answer is one of ours: told back, it would seem to be that of a message of the client's. */
function ownId(type: string, id: string | number | undefined): string | number | undefined {
  return answerTypes.has(type) ? undefined : id
}

/** A ping in a frame, for whoever has no time to wait its turn; `undefined` for anything else, and whatever is wrong with it. */
export function readPing(
  frame: Buffer,
  { types, depth }: Pick<InboundPolicy, 'types' | 'depth'>,
): ParsedMessage | undefined {
  if (types === undefined || frame.length > longestPing || !frame.includes('"ping"')) return undefined
  const text = readText(frame)
  const parsed = typeof text === 'string' ? parseMessage(text, depth) : text
  if ('code' in parsed || parsed.type !== pingType) return undefined
  return Object.keys(parsed.body).every((name) => name === 'type' || name === 'id') ? parsed : undefined
}

/** With the longest id. */
const longestPing = 128

function turnedAway(refusal: Refusal, { rule, id, socket, now }: Arrival): RefusedMessage {
  return refused(refusal, socket, now, { id, messageType: rule.type })
}

/** A refusal as the socket carries it out: counted, unless it is ours, and with the end of the socket where it is one too many. */
export function refused(
  refusal: Refusal,
  { policy, state }: Pick<InboundSocket, 'policy' | 'state'>,
  now: number,
  { id, messageType }: { id?: string | number | undefined; messageType?: string } = {},
): RefusedMessage {
  // Our own failures are not the client's: they use up nothing.
  const oneTooMany = refusal.code !== 'SWS_INTERNAL' && noteRefusal(state, policy, now)
  const budgetClose = refusal.code === 'SWS_TOO_FAST' ? CloseCode.TooFast : CloseCode.PolicyViolation
  const close = refusal.close ?? (oneTooMany ? budgetClose : undefined)
  return {
    kind: 'refuse',
    ...refusal,
    ...(id === undefined ? {} : { id }),
    ...(messageType === undefined ? {} : { messageType }),
    ...(close === undefined ? {} : { close }),
  }
}
