import { createEnforcement, type Enforcement, resolveEnforce } from '../admission/enforcement.ts'
import { type AdmissionPolicy, compileAdmission } from '../admission/policy.ts'
import { type Authentication, compileAuthentication, refuseTicketAlone } from '../authentication/authentication.ts'
import type { SocketPolicy } from '../connection/admitted.ts'
import type { ContractRoute } from '../contract/contract.ts'
import { badOption, SecureWsError } from '../errors.ts'
import { compileAnswers } from '../inbound/answer.ts'
import { compileInbound, type ReceiveRule, type Senders } from '../inbound/inbound.ts'
import type { ReplayGuard } from '../inbound/replay.ts'
import { checkKeys, closest, isPlainObject } from '../option-checks.ts'
import {
  compileOutbound,
  compileReply,
  type DeclaredReply,
  type SanitizeHtml,
  type Sends,
} from '../outbound/outbound.ts'
import { markingRefused } from '../outbound/refused-html.ts'
import { declaresHtml } from '../schema/declares-html.ts'
import { toJsonSchema } from '../schema/standard-schema.ts'
import type { Session } from '../session/session.ts'
import { copyOutputs, describedRoute } from './described.ts'
import { type Limits, resolveRouteLimits } from './limits.ts'
import { oneOf, resolveAdmission, routeKeys, type Settings, saysAnythingOnAdmission } from './options.ts'

/** A route's own question: may this session open a socket here? Anything but `true` is no. */
export type Authorize = (session: Session | null, request: object) => boolean | Promise<boolean>

/** Everything one route decided, finished when the route was declared. */
export interface RoutePolicy {
  readonly admission: AdmissionPolicy
  readonly enforcement: Enforcement
  readonly authentication: Authentication
  readonly authorize: Authorize | undefined
  /** Sub-protocols the server speaks here, in its order of preference; `undefined` when none is declared. */
  readonly protocols: readonly string[] | undefined
  readonly limits: Limits
  readonly socket: SocketPolicy
  readonly loosened: readonly string[]
  /** The upgrades go to another server, which chooses its own sub-protocol. */
  readonly passesOn?: boolean
  /** The parts of Fastify's own `schema` of the route that a handshake has to fit, as they were declared. */
  readonly requestSchemas?: Readonly<Record<string, unknown>>
  /** Whether a field of it is HTML, for which the sanitizer must work. */
  readonly declaresHtml: boolean
  explain(): object
  /** The route as its clients may know it. Of a guarded path there is nothing to tell: its messages are another server's. */
  describe(): ContractRoute
}

export interface RouteSurroundings {
  readonly settings: Settings
  /** Milliseconds since the epoch: for the end of a rule that only reports. */
  readonly now: () => number
  readonly replayGuard: ReplayGuard
  /** For what comes in: whoever asks counts what is refused. */
  readonly sanitizeHtml: (dirty: string) => string | Promise<string>
  /** For what goes out: a refusal is told to whoever set it off. */
  readonly sanitizeOutput: (dirty: string) => string | Promise<string>
  readonly senders: Senders
  readonly warn: (text: string) => void
}

/**
 * @param url as declared, with its prefix: names the route in errors and events
 * @throws SecureWsError `SWS_BAD_OPTION`, `SWS_UNSAFE_OPTIONS`
 */
export function compileRoute(url: string, given: unknown, surroundings: RouteSurroundings): RoutePolicy {
  const { settings, now, replayGuard, sanitizeHtml, sanitizeOutput, senders, warn } = surroundings
  const path = `${url} secureWs`
  if (given !== undefined && !isPlainObject(given)) throw badOption(path, given, 'Write an object.')
  const options: Record<string, unknown> = given ?? {}
  checkKeys(options, routeKeys, path)

  const limits = resolveRouteLimits(options.limits, `${path}.limits`, settings.limits)
  const admission = saysAnythingOnAdmission(options)
    ? compileAdmission(resolveAdmission(options, settings.admission), path)
    : settings.admissionPolicy
  const authentication =
    options.authenticate === undefined
      ? settings.authentication
      : compileAuthentication(options.authenticate, `${path}.authenticate`)
  const encode = oneOf(options.encode, ['html', 'json', 'none'], settings.encode, `${path}.encode`)
  const receives = declared<ReceiveRule>(options.receives, `${path}.receives`)
  const sends = declared<{ schema: object; reply?: object }>(options.sends, `${path}.sends`)
  const binary = listOf(options.binary, `${path}.binary`, "Write a list of media types such as ['image/png'].")
  const protocols = listOf(options.protocols, `${path}.protocols`, "Write a list such as ['chat.v1'].")
  const authorize = checkAuthorize(options.authorize, `${path}.authorize`)
  const { refreshable } = authentication
  if (settings.denyByDefault) refuseUndecided(authorize, receives, path)
  const refusedHtml = oneOf(options.refusedHtml, ['refuse', 'mark'], 'refuse', `${path}.refusedHtml`)
  const forOutput = refusedHtml === 'mark' ? markingRefused(sanitizeOutput) : sanitizeOutput
  const outbound = compileOutbound({
    encode,
    sends: sends as Sends | undefined,
    path,
    sanitizeHtml: forOutput,
    warn,
  })
  const enforcement = createEnforcement(
    resolveEnforce(options.enforce, `${path}.enforce`, now(), settings.enforce),
    now,
  )
  const { reports } = enforcement
  const asked = { receives, binary, limits, path, refreshable, reports }
  const inbound = compileInbound({ ...asked, sanitizeHtml, senders, replayGuard })
  const inherited = [
    ...loosenedBy(settings.admissionPolicy, settings.authentication, settings.encode),
    ...createEnforcement(settings.enforce, now).loosened,
  ]
  const answers = compileAnswers(sends, receives !== undefined, `${path}.sends`)
  const reply = compileReplies({ receives, path, undeclared: sends === undefined, sanitizeHtml: forOutput, warn })
  const outputs = copyOutputs(receives, sends, path)
  refuseTicketAlone(authentication, `${path}.authenticate`)
  refuseHijacking({ admission, enforcement, authentication }, settings.dangerouslyAllowAmbientCredentials, path)

  const slowReader = oneOf(options.slowReader, ['close', 'drop'], settings.slowReader, `${path}.slowReader`)

  return {
    admission,
    enforcement,
    authentication,
    authorize,
    protocols,
    limits,
    declaresHtml: declaresHtml(receives) || declaresHtml(sends),
    socket: {
      route: url,
      inbound,
      types: receives === undefined ? undefined : new Set(Object.keys(receives)),
      binary: binary !== undefined,
      reply,
      answers,
      outbound,
      encode,
      limits,
      needsRequest: authorize !== undefined || inbound.needsRequest,
      authorize: authorize && onceEnforced(authorize, enforcement),
      revalidate: (signedIn) => authentication.revalidate(signedIn),
      refresh: authentication.refreshable
        ? (signedIn, method, token) => authentication.refresh(signedIn, method, token)
        : undefined,
      noteListener:
        receives === undefined ? () => {} : noteListeners(url, Object.keys(receives), binary !== undefined, warn),
      slowReader,
    },
    // Only what the route says itself: what it inherits is listed once, for the plugin.
    loosened: [...loosenedBy(admission, authentication, encode), ...enforcement.loosened].filter(
      (line) => !inherited.includes(line),
    ),
    explain: () => ({
      route: url,
      ...admission.explain(),
      enforce: enforcement.explain() ?? 'everything',
      authenticate: authentication.explain(),
      authorize: authorize !== undefined,
      protocols: protocols ?? [],
      encode,
      ...(outbound.twice?.seen === true && { encodedTwice: true }),
      refusedHtml,
      slowReader,
      ...inbound.explain(),
      sends: sends === undefined ? 'anything' : Object.keys(sends),
      limits: structuredClone(limits),
    }),
    describe: () =>
      describedRoute({ url, authentication, protocols, encode, binary, inbound, outputs, answers, limits }),
  }
}

/** With `denyByDefault` silence is no right: who may is said of the route and of each message type. */
function refuseUndecided(
  authorize: Authorize | undefined,
  receives: Readonly<Record<string, ReceiveRule>> | undefined,
  path: string,
): void {
  const advice =
    '`denyByDefault` wants to know who may: write a function that answers true or false, or `anySession` for everybody who is signed in.'
  if (authorize === undefined) throw badOption(`${path}.authorize`, undefined, advice)
  for (const [type, rule] of Object.entries(receives ?? {})) {
    if (rule.authorize === undefined) throw badOption(`${path}.receives.${type}.authorize`, undefined, advice)
  }
}

/** What a route gives up, in words for the one warning at startup. */
export function loosenedBy(admission: AdmissionPolicy, authentication: Authentication, encode: string): string[] {
  const said = admission.explain()
  return [
    said.origins === 'any' &&
      `origins: dangerouslyAllowAnyOrigin (any web page may connect${byFunction(authentication)})`,
    said.allowMissingOrigin && 'allowMissingOrigin: true (clients that are no browsers may connect)',
    said.dangerouslyAllowNullOrigin && 'dangerouslyAllowNullOrigin: true (sandboxed pages may connect)',
    said.dangerouslyAllowFileOrigin && 'dangerouslyAllowFileOrigin: true (pages opened from a disk may connect)',
    said.allowInsecureTransport && 'allowInsecureTransport: true (credentials and messages in the clear)',
    authentication.anonymous && 'authenticate: false (nobody is asked who they are)',
    ...authentication.explain().loosened,
    ...authentication
      .explain()
      .neverAskedAgain.map(
        (method) =>
          `authenticate: ${method} has no \`revalidate\` (its sessions stay until they expire or are revoked)`,
      ),
    encode === 'none' && "encode: 'none' (strings leave as they are)",
  ].filter((line) => line !== false)
}

function byFunction(authentication: Authentication): string {
  const { methods } = authentication.explain()
  return methods.includes('function') ? ', and `authenticate` is a function: it must not trust a cookie' : ''
}

/** A right that a route would not give is not taken away either: an open socket is asked about again when the rule refuses. */
function onceEnforced(authorize: Authorize, enforcement: Enforcement): Authorize {
  return (session, request) => enforcement.reports('authorize') || authorize(session, request)
}

/** Cross-site WebSocket hijacking as a configuration (CWE-1385): refused unless danger was said twice. */
export function refuseHijacking(
  { admission, enforcement, authentication }: Pick<RoutePolicy, 'admission' | 'enforcement' | 'authentication'>,
  allowed: boolean,
  path: string,
): void {
  if (!authentication.ambient || allowed) return
  const { origins, allowMissingOrigin, dangerouslyAllowNullOrigin, dangerouslyAllowFileOrigin } = admission.explain()
  const open = [
    origins === 'any' && '`origins: dangerouslyAllowAnyOrigin`',
    dangerouslyAllowNullOrigin && '`dangerouslyAllowNullOrigin: true`',
    dangerouslyAllowFileOrigin && '`dangerouslyAllowFileOrigin: true`',
    allowMissingOrigin && '`allowMissingOrigin: true`',
    enforcement.reports('origin') && "`enforce: { origin: 'report' }`",
  ].find((each) => each !== false)
  if (open === undefined) return
  throw new SecureWsError(
    'SWS_UNSAFE_OPTIONS',
    `fastify-secure-ws: ${path === '' ? 'the options' : path} combine ${open} with credentials that browsers attach by themselves (cookies, HTTP Basic, client certificates): any web page could use a visitor's session. List the \`origins\` you serve, or authenticate with \`bearer\` or \`ticket\`. If you mean it, say it twice: \`dangerouslyAllowAmbientCredentials: true\`.`,
  )
}

interface Replies {
  readonly receives: Readonly<Record<string, ReceiveRule>> | undefined
  readonly path: string
  /** Whether a value without a declaration may go out: only where nothing that goes out is declared. */
  readonly undeclared: boolean
  readonly sanitizeHtml: SanitizeHtml
  readonly warn: (text: string) => void
}

/** A listener that returns a row of its database must not hand its client, for an `id`, what `sends` would have dropped. */
function compileReplies({ receives, path, undeclared, sanitizeHtml, warn }: Replies): SocketPolicy['reply'] {
  const declared = new Map<string, DeclaredReply>()
  for (const [type, rule] of Object.entries(receives ?? {})) {
    if (rule.reply !== undefined) {
      declared.set(type, compileReply(type, rule.reply, `${path}.receives.${type}.reply`, sanitizeHtml, warn))
    }
  }
  const warned = new Set<string>()
  return (type, value) => {
    const reply = declared.get(type)
    if (reply !== undefined) return reply(value)
    if (undeclared) return { value }
    if (value !== undefined && !warned.has(type)) {
      warned.add(type)
      warn(
        `fastify-secure-ws: ${path}: the listener of "${type}" returns a value, which is not sent: a route with \`sends\` declares replies as well. Write \`receives.${type}.reply\`, a schema.`,
      )
    }
    return {}
  }
}

/** The events that ws itself emits; any other would be the name of a message. */
const eventsOfSocket = new Set(['close', 'error', 'open', 'ping', 'pong', 'upgrade', 'redirect', 'unexpected-response'])

/** Once for each name, not for each socket. On a route with `receives`, only what is declared is ever emitted. */
function noteListeners(
  url: string,
  types: readonly string[],
  binary: boolean,
  warn: (text: string) => void,
): (event: string) => void {
  const fine = new Set([...types, ...eventsOfSocket, ...(binary ? ['binary'] : [])])
  return (event) => {
    // The names are the application's, so the set ends with its code.
    if (fine.has(event)) return
    fine.add(event)
    const near = closest(event, types)
    const advice =
      event === 'message'
        ? 'There are no raw messages on a route with `receives`.'
        : event === 'binary'
          ? 'List the media types in `secureWs.binary`.'
          : near === undefined
            ? 'Declare it, or take the listener away.'
            : `Did you mean '${near}'?`
    warn(
      `fastify-secure-ws: ${url}: socket.on('${event}') listens to nothing. Declared in \`receives\`: ${types.join(', ') || 'nothing'}. ${advice}`,
    )
  }
}

function declared<T>(value: unknown, path: string): Readonly<Record<string, T>> | undefined {
  if (value === undefined) return undefined
  if (!isPlainObject(value)) throw badOption(path, value, 'Write an object: message type to { schema }.')
  return Object.fromEntries(
    Object.entries(value).map(([type, rule]) => [type, inJsonSchema<T>(rule, `${path}.${type}`)]),
  )
}

/** A rule whose schemas are JSON Schema, whichever library they were written with. What is no rule is refused where rules are read. */
function inJsonSchema<T>(rule: unknown, path: string): T {
  if (!isPlainObject(rule)) return rule as T
  const members = Object.entries(rule).map(([name, given]): [string, unknown] => {
    return [name, name === 'schema' || name === 'reply' ? toJsonSchema(given, `${path}.${name}`) : given]
  })
  return Object.fromEntries(members) as T
}

function listOf(value: unknown, path: string, advice: string): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0) throw badOption(path, value, advice)
  for (const each of value as unknown[]) {
    if (typeof each !== 'string' || !/^[!#$%&'*+\-./0-9A-Z^_`|a-z~]+$/.test(each)) throw badOption(path, value, advice)
  }
  return [...(value as string[])]
}

function checkAuthorize(value: unknown, path: string): Authorize | undefined {
  if (value === undefined || typeof value === 'function') return value as Authorize | undefined
  throw badOption(path, value, 'Write a function: (session, request) => boolean.')
}
