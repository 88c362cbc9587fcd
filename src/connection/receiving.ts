import type { EventEmitter } from 'node:events'
import { CloseCode } from '../errors.ts'
import { judgeAnswer, readAnswer } from '../inbound/answer.ts'
import {
  admitFrame,
  countControlFrame,
  createInboundState,
  type InboundPolicy,
  type InboundSocket,
  type InboundState,
  noteRefusal,
  receive,
  refreshType,
  refused,
  withId,
} from '../inbound/inbound.ts'
import type { DeliveredMessage, InboundVerdict, RefusedMessage } from '../inbound/verdict.ts'
import { codeOfRefusedHtml } from '../outbound/refused-html.ts'
import { type Underway, underway } from '../outbound/underway.ts'
import type { Identity } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { Observed, Observer, WatchedMessage } from '../telemetry/observer.ts'
import { isThenable } from '../thenable.ts'
import { Dispatch, type ListenerLimits, type Outcome } from './dispatch.ts'
import { type Frame, Inbox, type InboxAccount, type InboxBounds, type InboxHost } from './inbox.ts'
import { emitContained } from './listeners.ts'
import type { Listening } from './listening.ts'
import { MessageSender } from './message-sender.ts'
import type { Port } from './port.ts'
import type { Requests } from './requests.ts'
import type { Tick } from './sweep.ts'

/** The socket that receives, as this sees it. */
export interface ReceivingHost extends InboxAccount {
  /** Whose listeners are called. */
  readonly socket: EventEmitter
  readonly wire: Port
  /** Read anew for each message: it may have been revalidated or refreshed meanwhile. */
  readonly session: Session | null
  readonly identity: Identity | null
  readonly admitted: {
    readonly policy: ReceivingPolicy
    readonly request: object
    readonly address?: string | undefined
    readonly trace?: Observed['trace']
  }
  readonly listening: Listening
  /** What this client was asked, from the first request on. */
  readonly requests: Requests | undefined
  /** Watches messages, where somebody measures them. */
  readonly observer: Observer | undefined
  /** Nothing is delivered to a listener any more. */
  readonly ended: boolean
  now(): number
  uptime(): number
  /** Runs work in a context of its own. */
  apart<Given extends unknown[], T>(work: (...given: Given) => T, ...given: Given): T
  /** A promise keeps the place of its answer among what is sent; it does not reject. */
  answer(message: object | Underway<object>): void
  refused(refusal: RefusedMessage): void
  /** A new token for the session, in band. */
  refresh(token: string): Promise<boolean>
  fault(error: unknown, messageType?: string): void
  /** A reply that is not as declared, holds HTML that is beyond cleaning, or cannot be sent. */
  outputRefused(error: unknown): void
  /** Something of ours failed that nobody else has caught. Must not throw. */
  failed(error: unknown): void
  /** The listeners of this event took longer than they may. */
  silent(event: string): void
}

export interface ReceivingPolicy {
  readonly route: string
  readonly inbound: InboundPolicy
  /** Declared message types; `undefined` on a raw route, where text frames are handed out as ws does. */
  readonly types: ReadonlySet<string> | undefined
  /** Binary frames are checked and handed out as `binary`; on a raw route without it they go out as they came. */
  readonly binary: boolean
  /** Members of the answer that carry a listener's return value. @throws SecureWsError when it is not as declared */
  readonly reply: (type: string, value: unknown) => object | Underway<object>
  readonly limits: InboxBounds & ListenerLimits
}

/**
 * The way in of one socket: serial, and shut for good by `end()` however many frames are still in flight. Made with the first
 * frame: most sockets are idle, and many never say anything.
 */
export class Receiving implements InboxHost, InboundSocket {
  readonly #host: ReceivingHost
  readonly state: InboundState
  readonly inbox: Inbox
  readonly #dispatch: Dispatch
  /** The message that is being dealt with, where somebody measures it: one at a time. */
  #watched: WatchedMessage | undefined

  constructor(host: ReceivingHost) {
    const { inbound, limits } = host.admitted.policy
    this.#host = host
    this.state = createInboundState(inbound, host.uptime())
    this.inbox = new Inbox(this, limits, host)
    this.#dispatch = new Dispatch(limits.listener)
  }

  frame(bytes: Buffer, isBinary: boolean): void {
    if (this.#host.ended) return
    const now = this.#host.uptime()
    const tooFast = admitFrame(bytes.length, this.#isRaw(isBinary), this, now)
    if (tooFast !== undefined) this.#refuse(withId(tooFast, bytes, isBinary, this.policy))
    else if (!isBinary && this.#isAnswer(bytes, now)) return
    else if (this.inbox.push({ bytes, isBinary }, now) === 'over') {
      const reason = 'more waits for a listener than one read can bring (limits.messageBytes)'
      this.#refuse({ kind: 'refuse', code: 'SWS_TOO_FAST', reason, close: CloseCode.TooFast })
    }
  }

  /** Taken out of turn: a listener may be waiting for the answer, and the messages behind it for the listener. */
  #isAnswer(bytes: Buffer, now: number): boolean {
    const { requests, observer, admitted } = this.#host
    const answer = requests && readAnswer(bytes, this.policy.depth)
    if (requests === undefined || answer === undefined) return false
    const taken = requests.heard(answer, (holder, schema) => {
      const judge = () => judgeAnswer(holder, schema, this.policy.sanitizeHtml)
      const { senders } = this.policy
      return senders.matter ? senders.as(new MessageSender(this), judge) : judge()
    })
    const conclude = (refusal: Awaited<typeof taken>) => {
      void observer?.message(admitted, bytes.length, (watched) => watched.decided('reply', refusal?.code))
      if (refusal === undefined || this.#host.ended) return
      this.#refuse(refused(refusal, this, now, refusal))
    }
    if (isThenable(taken)) void taken.then(conclude).catch((error: unknown) => this.failed(error))
    else conclude(taken)
    return true
  }

  failed(error: unknown): void {
    this.#host.failed(error)
  }

  /** RS-01, RS-02: a flood of pings or pongs is a flood. */
  controlFrame(): void {
    const refusal = this.#host.ended ? undefined : countControlFrame(this.policy, this.state, this.#host.uptime())
    // No answer: a flood of control frames must not become a flood of ours.
    if (refusal !== undefined) this.#host.refused(refusal)
  }

  get waits(): boolean {
    return this.#dispatch.waits
  }

  /** A listener that does not settle must not mute its socket. */
  sweep(tick: Tick): void {
    this.#dispatch.sweep(tick)
  }

  /** The phase says it: what waits is let go. */
  end(): void {
    this.inbox.clear()
  }

  take(frame: Frame, now: number): void | Promise<void> {
    if (this.#host.ended) return
    const { senders } = this.policy
    if (!senders.matter) return this.#judge(frame, now)
    return senders.as(new MessageSender(this), () => this.#judge(frame, now))
  }

  takeLater(frame: Frame): void | Promise<void> {
    return this.#host.apart(takeLate, this, frame)
  }

  /** Two names that cannot meet: a session is named by the application, an address by the network. */
  get sender(): string {
    const { identity, admitted } = this.#host
    return identity === null ? `address ${admitted.address}` : `session ${identity.sessionId}`
  }

  /** A message that was fine, and made the application send HTML that is too dear: else its sender goes on for ever. */
  outputRefused(): void {
    if (this.#host.ended) return
    const tooMany = noteRefusal(this.state, this.policy, this.uptime())
    this.#host.refused({
      kind: 'refuse',
      code: 'SWS_INVALID_MESSAGE',
      reason: 'the HTML that was to be sent because of it was refused for its cost',
      ...(tooMany ? { close: CloseCode.PolicyViolation } : {}),
    })
  }

  #judge(frame: Frame, now: number): void | Promise<void> {
    const { observer } = this.#host
    if (observer === undefined) return this.#decide(frame, now)
    return observer.message(this.#host.admitted, frame.bytes.length, (watched) => {
      this.#watched = watched
      return this.#decide(frame, now)
    })
  }

  #decide(frame: Frame, now: number): void | Promise<void> {
    if (this.#isRaw(frame.isBinary)) {
      this.#watched?.decided('raw')
      return this.#emitRaw(frame)
    }
    const verdict = receive(frame.bytes, frame.isBinary, this, now)
    return isThenable(verdict) ? verdict.then((ready) => this.#apply(ready)) : this.#apply(verdict)
  }

  // --- the socket as the steps of a message see it ---

  get policy(): InboundPolicy {
    return this.#policy.inbound
  }

  get session(): Session | null {
    return this.#host.session
  }

  get owner(): string | undefined {
    return this.#host.identity?.sessionId
  }

  get request(): object {
    return this.#host.admitted.request
  }

  get observer(): Observer | undefined {
    return this.#host.observer
  }

  get clock(): { now(): number } {
    return this.#host
  }

  uptime(): number {
    return this.#host.uptime()
  }

  hold(): void {
    this.#host.wire.block('queue')
  }

  release(): void {
    this.#host.wire.unblock('queue')
  }

  get #policy(): ReceivingPolicy {
    return this.#host.admitted.policy
  }

  /** Handed out as it came, to whoever speaks a protocol of their own. */
  #isRaw(isBinary: boolean): boolean {
    const { types, binary } = this.#policy
    return types === undefined && !(isBinary && binary)
  }

  #emitRaw(frame: Frame): void | Promise<void> {
    if (this.#host.ended) return
    const { socket, wire } = this.#host
    if (socket.listenerCount('message') === 0 && !this.#host.listening.late)
      return this.#host.listening.next().then(() => this.#emitRaw(frame))
    const { bytes, isBinary } = frame
    emitContained(socket, 'message', [isBinary ? wire.shape(bytes) : bytes, isBinary], (error) =>
      this.#host.fault(error),
    )
  }

  #apply(verdict: InboundVerdict): void | Promise<void> {
    // Revoked, closed or drained while a check was waiting: the right is gone, so is the message (design: races to close).
    if (this.#host.ended) return
    this.#watched?.decided(labelOf(verdict, this.#policy.types), verdict.kind === 'refuse' ? verdict.code : undefined)
    if (verdict.kind === 'refuse') return this.#refuse(verdict)
    if (verdict.kind === 'deliver-binary') return this.#call('binary', [verdict.bytes, verdict.mime], undefined)
    if (verdict.type === refreshType) return this.#refresh(verdict)
    return this.#call(verdict.type, [verdict.message], verdict)
  }

  async #refresh(verdict: DeliveredMessage): Promise<void> {
    const { token } = verdict.message as { readonly token: string }
    const refreshed = await this.#host.refresh(token)
    if (refreshed && !this.#host.ended && verdict.id !== undefined)
      this.#host.answer({ type: 'reply', id: verdict.id, value: true })
  }

  #call(event: string, args: readonly unknown[], message: DeliveredMessage | undefined): void | Promise<void> {
    const { socket } = this.#host
    if (socket.listenerCount(event) === 0) return this.#withoutListener(event, args, message)
    this.#watched?.called()
    const outcome = this.#dispatch.call(socket, event, args, this.#host)
    if (isThenable(outcome)) return outcome.then((settled) => this.#conclude(settled, event, message))
    return this.#conclude(outcome, event, message)
  }

  #conclude(outcome: Outcome, event: string, message: DeliveredMessage | undefined): void | Promise<void> {
    this.#watched?.ended(outcome.kind)
    if (outcome.kind === 'returned') return this.#reply(outcome.value, message)
    if (outcome.kind === 'threw') this.#fault(outcome.error, event, message)
    else if (!this.#host.ended) {
      if (message !== undefined) this.#host.answer({ type: 'error', code: 'SWS_TIMEOUT', ...idOf(message) })
      this.#host.silent(event)
    }
  }

  /** An async handler may still be on its way to `on(type)`: the message waits for it, as long as a handshake may take. */
  #withoutListener(
    event: string,
    args: readonly unknown[],
    message: DeliveredMessage | undefined,
  ): void | Promise<void> {
    if (this.#host.listening.over) {
      const tooMany = noteRefusal(this.state, this.policy, this.uptime())
      this.#refuse({
        kind: 'refuse',
        ...(tooMany ? { close: CloseCode.PolicyViolation } : {}),
        code: 'SWS_NO_LISTENER',
        reason: 'declared, but the handler attached no listener',
        messageType: event,
        ...idOf(message),
      })
      return
    }
    return this.#host.listening.next().then(() => (this.#host.ended ? undefined : this.#call(event, args, message)))
  }

  /** A value that is not as declared, or cannot be encoded, is the listener's mistake, and is reported as one. */
  #reply(value: unknown, message: DeliveredMessage | undefined): void | Promise<void> {
    if (this.#host.ended || message?.id === undefined) return
    const { id, type } = message
    const failed = (error: unknown): Answer => {
      const code = codeOfRefusedHtml(error)
      this.#host.outputRefused(error)
      // As of whatever is sent: that a document is beyond cleaning, or the sanitizer broken, is no mistake of the listener.
      if (code === undefined) this.#host.fault(error, type)
      return { type: 'error', code: code ?? 'SWS_INTERNAL', id }
    }
    try {
      const declared = this.#policy.reply(type, value)
      if (!(declared instanceof Promise)) return this.#host.answer({ type: 'reply', id, ...declared })
      const answer = declared.then((members): Answer => ({ type: 'reply', id, ...members }), failed)
      this.#host.answer(underway(answer, declared.bytes))
      // The next message waits, or replies could pile up before the sanitizer.
      return answer.then(() => {})
    } catch (error) {
      this.#host.answer(failed(error))
    }
  }

  #fault(error: unknown, event: string, message: DeliveredMessage | undefined): void {
    if (this.#host.ended) return
    if (message !== undefined) this.#host.answer({ type: 'error', code: 'SWS_INTERNAL', ...idOf(message) })
    this.#host.fault(error, event)
  }

  #refuse(refusal: RefusedMessage): void {
    // Raw routes speak a protocol of their own, in which our JSON would be noise: there the close code is the answer.
    if (this.#policy.types !== undefined) {
      const { code, retryAfter } = refusal
      this.#host.answer({ type: 'error', code, ...idOf(refusal), ...(retryAfter !== undefined && { retryAfter }) })
    }
    this.#host.refused(refusal)
  }
}

function takeLate(receiving: Receiving, frame: Frame): void | Promise<void> {
  return receiving.take(frame, receiving.uptime())
}

interface Answer {
  readonly type: 'reply' | 'error'
  readonly id?: string | number
  readonly code?: string
  readonly value?: unknown
}

/** A name for what came, of which there are a few: what is not declared is a client's own text. */
function labelOf(verdict: InboundVerdict, types: ReadonlySet<string> | undefined): string {
  if (verdict.kind === 'deliver') return verdict.type
  if (verdict.kind === 'deliver-binary') return 'binary'
  const { messageType } = verdict
  return messageType !== undefined && types?.has(messageType) === true ? messageType : 'other'
}

function idOf(message: { readonly id?: string | number } | undefined): { readonly id?: string | number } {
  return message?.id === undefined ? {} : { id: message.id }
}
