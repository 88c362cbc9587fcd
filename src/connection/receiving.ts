import type { EventEmitter } from 'node:events'
import { CloseCode } from '../errors.ts'
import {
  admitFrame,
  countControlFrame,
  createInboundState,
  type InboundPolicy,
  type InboundSocket,
  type InboundState,
  noteRefusal,
  pingType,
  readPing,
  receive,
  refreshType,
  refused,
  withId,
} from '../inbound/inbound.ts'
import type { ReportedRefusal } from '../inbound/reported.ts'
import type { DeliveredMessage, InboundVerdict, RefusedMessage } from '../inbound/verdict.ts'
import { codeOfRefusedHtml } from '../outbound/refused-html.ts'
import { underway } from '../outbound/underway.ts'
import type { Observer, WatchedMessage } from '../telemetry/observer.ts'
import type { Admitted, SocketPolicy } from './admitted.ts'
import { takeAnswer } from './answered.ts'
import { Dispatch, type Outcome } from './dispatch.ts'
import { type Answer, idOf } from './envelope.ts'
import { type Frame, Inbox } from './inbox.ts'
import { emitContained } from './listeners.ts'
import { expected, type Listening, Waiters } from './listening.ts'
import { MessageSender } from './message-sender.ts'
import type { Port } from './port.ts'
import { typeOfRefusal } from './report.ts'
import type { Requests } from './requests.ts'
import { SendingSocket } from './sending.ts'
import type { Surroundings } from './surroundings.ts'
import type { Tick } from './sweep.ts'
import { watchReceived } from './watched.ts'

/** The way in of one socket: serial, and shut for good with the end, however many frames are still in flight. */
export abstract class ReceivingSocket extends SendingSocket implements InboundSocket {
  /** Whose listeners are called. */
  readonly socket: EventEmitter
  protected listening: Listening = expected
  /** What this client was asked, from the first request on. */
  requests: Requests | undefined
  /** Messages that came, whole. */
  received = 0
  // Made by the first frame: most sockets are idle, and many never say anything.
  #state: InboundState | undefined
  #dispatch: Dispatch | undefined
  #waiters: Waiters | undefined
  /** Only while a frame is waited for. */
  #inbox: Inbox | undefined
  /** The message that is being dealt with, where somebody measures it: one at a time. */
  #watched: WatchedMessage | undefined

  constructor(makeId: () => string, socket: EventEmitter, wire: Port, admitted: Admitted, surroundings: Surroundings) {
    super(makeId, wire, admitted, surroundings)
    this.socket = socket
  }

  frame(bytes: Buffer, isBinary: boolean): void {
    if (this.isOver) return
    this.received++
    try {
      this.#arrived(bytes, isBinary)
    } catch (error) {
      this.failed(error)
    }
  }

  /** As of every socket; here its client is told as well. */
  override failed(error: unknown): void {
    try {
      if (!this.ended && this.#policy.types !== undefined) this.answer({ type: 'error', code: 'SWS_INTERNAL' })
    } catch {
      this.destroy()
    }
    super.failed(error)
  }

  #arrived(bytes: Buffer, isBinary: boolean): void {
    const now = this.uptime()
    const tooFast = admitFrame(bytes.length, this.#isRaw(isBinary), this, now)
    if (tooFast !== undefined) this.#refuse(withId(tooFast, bytes, isBinary, this.policy))
    else if (this.requests !== undefined && !isBinary && this.#isAnswer(bytes, this.requests, now)) return
    else if (this.#inbox !== undefined) {
      // A listener at work does not make a server that is not there.
      const ping = isBinary ? undefined : readPing(bytes, this.policy)
      if (ping === undefined) this.#keep({ bytes, isBinary }, this.#inbox)
      else this.#pong(ping)
    } else {
      const waiting = this.#take(bytes, isBinary, now)
      if (waiting !== undefined) void this.#takeRest(waiting)
    }
  }

  #isAnswer(bytes: Buffer, requests: Requests, now: number): boolean {
    return takeAnswer(requests, bytes, this, (refusal) => {
      if (refusal !== undefined && !this.ended) this.#refuse(refused(refusal, this, now, refusal))
    })
  }

  #keep(frame: Frame, inbox: Inbox): void {
    const kept = inbox.push(frame)
    if (kept === 'over') {
      const reason = 'more waits for a listener than one read can bring (limits.messageBytes)'
      this.#refuse({ kind: 'refuse', code: 'SWS_TOO_FAST', reason, close: CloseCode.TooFast })
      return
    }
    this.surroundings.memory.add(frame.bytes.length)
    if (kept === 'full') this.wire.block('queue')
  }

  /** One at a time, in order, behind the one that is waited for. */
  async #takeRest(first: Promise<void>): Promise<void> {
    const inbox = new Inbox(this.admitted.policy.limits)
    this.#inbox = inbox
    this.waitsForListener()
    let waiting: void | Promise<void> = first
    for (;;) {
      try {
        await waiting
        const frame = inbox.shift()
        if (frame === undefined) break
        // No longer in the turn in which it came, and so in the context of another one.
        waiting = this.apart(() => this.#take(frame.bytes, frame.isBinary, this.uptime()))
      } catch (error) {
        waiting = undefined
        this.failed(error)
      }
    }
    this.#inbox = undefined
    this.wire.unblock('queue')
  }

  /** Messages that were read and wait for a listener. */
  get unheard(): number {
    return this.#inbox?.length ?? 0
  }

  protected get inInbox(): number {
    return this.#inbox?.bytes ?? 0
  }

  /** Nothing that waits is delivered any more, and reading goes on: the other side's close frame is still to come. */
  protected stopReceiving(): void {
    this.#inbox?.clear()
    this.requests?.end()
    this.wake()
    this.wire.unblock('opening')
    this.wire.unblock('queue')
    this.wire.unblock('application')
  }

  #listener(): Promise<void> {
    this.#waiters ??= new Waiters()
    return this.#waiters.next()
  }

  protected wake(): void {
    this.#waiters?.wake()
  }

  /** RS-01, RS-02: a flood of pings or pongs is a flood. */
  protected controlFrame(): void {
    if (this.ended) return
    const refusal = countControlFrame(this, this.uptime())
    // No answer: a flood of control frames must not become a flood of ours.
    if (refusal !== undefined) this.#carryOut(refusal)
  }

  /** Told when a message begins to be waited for. */
  protected abstract waitsForListener(): void

  /** A message is waited for, be it for its check or its listeners: one may begin to wait where another was given up. */
  protected get waits(): boolean {
    return this.#inbox !== undefined
  }

  /** A listener that does not settle must not mute its socket. */
  protected visitListeners(tick: Tick): void {
    this.#dispatch?.sweep(tick)
  }

  #take(bytes: Buffer, isBinary: boolean, now: number): void | Promise<void> {
    if (this.ended) return
    const { senders } = this.policy
    if (!senders.matter) return this.#judge(bytes, isBinary, now)
    return senders.as(new MessageSender(this), () => this.#judge(bytes, isBinary, now))
  }

  /** Two names that cannot meet: a session is named by the application, an address by the network. */
  get sender(): string {
    const { identity, admitted } = this
    return identity === null ? `address ${admitted.address}` : `session ${identity.sessionId}`
  }

  /** A message that was fine, and made the application send HTML that is too dear: else its sender goes on for ever. */
  tooDear(): void {
    if (this.ended) return
    const tooMany = noteRefusal(this.state, this.policy, this.uptime())
    this.#carryOut({
      kind: 'refuse',
      code: 'SWS_INVALID_MESSAGE',
      reason: 'the HTML that was to be sent because of it was refused for its cost',
      ...(tooMany ? { close: CloseCode.PolicyViolation } : {}),
    })
  }

  #judge(bytes: Buffer, isBinary: boolean, now: number): void | Promise<void> {
    const { observer } = this
    const watched = observer?.watch(this.admitted, bytes.length, now)
    this.#watched = watched
    if (watched?.run === undefined) return this.#decide(bytes, isBinary, now, observer)
    return watched.run(() => this.#decide(bytes, isBinary, now, observer))
  }

  #decide(bytes: Buffer, isBinary: boolean, now: number, observer: Observer | undefined): void | Promise<void> {
    const { length } = bytes
    if (this.#isRaw(isBinary)) {
      if (observer !== undefined) watchReceived(observer, this.#watched, this.admitted, length, undefined)
      return this.#emitRaw(bytes, isBinary)
    }
    const verdict = receive(bytes, isBinary, this, now)
    if ('kind' in verdict) return this.#apply(verdict, length, observer)
    return verdict.then((ready) => this.#apply(ready, length, observer))
  }

  // --- the socket as the steps of a message see it ---

  get policy(): InboundPolicy {
    return this.#policy.inbound
  }

  get state(): InboundState {
    this.#state ??= createInboundState(this.policy, this.uptime())
    return this.#state
  }

  get owner(): string | undefined {
    return this.identity?.sessionId
  }

  get request(): object {
    return this.admitted.request
  }

  get clock(): { now(): number } {
    return this
  }

  get #policy(): SocketPolicy {
    return this.admitted.policy
  }

  /** Handed out as it came, to whoever speaks a protocol of their own. */
  #isRaw(isBinary: boolean): boolean {
    const { types, binary } = this.#policy
    return types === undefined && !(isBinary && binary)
  }

  #emitRaw(bytes: Buffer, isBinary: boolean): void | Promise<void> {
    if (this.ended) return
    const { socket, wire } = this
    if (socket.listenerCount('message') === 0 && !this.listening.late)
      return this.#listener().then(() => this.#emitRaw(bytes, isBinary))
    emitContained(socket, 'message', [isBinary ? wire.shape(bytes) : bytes, isBinary], (error) => this.fault(error))
  }

  #apply(verdict: InboundVerdict, bytes: number, observer: Observer | undefined): void | Promise<void> {
    // Revoked, closed or drained while a check was waiting: the right is gone, so is the message (design: races to close).
    if (this.ended) return
    if (observer !== undefined) watchReceived(observer, this.#watched, this.admitted, bytes, verdict)
    if (verdict.kind === 'refuse') return this.#refuse(verdict)
    if (verdict.kind === 'deliver-binary') return this.#call('binary', [verdict.bytes, verdict.mime], undefined)
    if (verdict.type === refreshType) return this.#refresh(verdict)
    if (verdict.type === pingType) return this.#pong(verdict)
    return this.#call(verdict.type, [verdict.message], verdict)
  }

  /** Neither the question nor the answer keeps a socket from being idle. */
  #pong({ id }: { readonly id?: string | number | undefined }): void {
    this.received--
    if (id === undefined) return
    this.sent--
    this.answer({ type: 'reply', id })
  }

  async #refresh(verdict: DeliveredMessage): Promise<void> {
    const { token } = verdict.message as { readonly token: string }
    const refreshed = await this.refresh(token)
    if (refreshed && !this.ended && verdict.id !== undefined)
      this.answer({ type: 'reply', id: verdict.id, value: true })
  }

  #call(event: string, args: readonly unknown[], message: DeliveredMessage | undefined): void | Promise<void> {
    this.#watched?.called()
    this.#dispatch ??= new Dispatch(this.admitted.policy.limits.listener)
    const outcome = this.#dispatch.call(this.socket, event, args, this)
    if (outcome instanceof Promise) return outcome.then((settled) => this.#conclude(settled, event, message))
    return outcome.kind === 'unheard'
      ? this.#withoutListener(event, args, message)
      : this.#conclude(outcome, event, message)
  }

  #conclude(outcome: Outcome, event: string, message: DeliveredMessage | undefined): void | Promise<void> {
    if (outcome.kind !== 'unheard') this.#watched?.ended(outcome.kind)
    if (outcome.kind === 'returned') return this.#reply(outcome.value, message)
    if (outcome.kind === 'threw') this.#fault(outcome.error, event, message)
    else if (outcome.kind === 'silent') this.#silent(event, message)
  }

  /** A listener that does not settle is the application's fault, and has broken nothing. */
  #silent(messageType: string, message: DeliveredMessage | undefined): void {
    if (this.ended) return
    if (message !== undefined) this.answer({ type: 'error', code: 'SWS_TIMEOUT', ...idOf(message) })
    const reason = `a listener did not settle within ${this.admitted.policy.limits.listener} ms (limits.listener)`
    this.audit({ type: 'message.failed', code: 'SWS_TIMEOUT', reason, messageType })
  }

  /** An async handler may still be on its way to `on(type)`: the message waits for it, as long as a handshake may take. */
  #withoutListener(
    event: string,
    args: readonly unknown[],
    message: DeliveredMessage | undefined,
  ): void | Promise<void> {
    if (this.listening.over) {
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
    return this.#listener().then(() => (this.ended ? undefined : this.#call(event, args, message)))
  }

  /** A value that is not as declared, or cannot be encoded, is the listener's mistake, and is reported as one. */
  #reply(value: unknown, message: DeliveredMessage | undefined): void | Promise<void> {
    if (this.ended || message?.id === undefined) return
    const { id, type } = message
    const failed = (error: unknown): Answer => {
      const code = codeOfRefusedHtml(error)
      this.outputRefused(error)
      // As of whatever is sent: that a document is beyond cleaning, or the sanitizer broken, is no mistake of the listener.
      if (code === undefined) this.fault(error, type)
      return { type: 'error', code: code ?? 'SWS_INTERNAL', id }
    }
    try {
      const declared = this.#policy.reply(type, value)
      if (!(declared instanceof Promise)) return this.answer({ type: 'reply', id, ...declared })
      const answer = declared.then((members): Answer => ({ type: 'reply', id, ...members }), failed)
      this.answer(underway(answer, declared.bytes))
      // The next message waits, or replies could pile up before the sanitizer.
      return answer.then(() => {})
    } catch (error) {
      this.answer(failed(error))
    }
  }

  #fault(error: unknown, event: string, message: DeliveredMessage | undefined): void {
    if (this.ended) return
    if (message !== undefined) this.answer({ type: 'error', code: 'SWS_INTERNAL', ...idOf(message) })
    this.fault(error, event)
  }

  #refuse(refusal: RefusedMessage): void {
    // Raw routes speak a protocol of their own, in which our JSON would be noise: there the close code is the answer.
    if (this.#policy.types !== undefined) {
      const { code, retryAfter } = refusal
      this.answer({ type: 'error', code, ...idOf(refusal), ...(retryAfter !== undefined && { retryAfter }) })
    }
    this.#carryOut(refusal)
  }

  #carryOut({ code, reason, messageType, cause, isFault, close }: RefusedMessage): void {
    this.audit({ type: typeOfRefusal(code), code, reason, messageType })
    if (isFault === true) this.fault(cause, messageType)
    else if (cause !== undefined) this.report.thrown(cause, 'a check threw', messageType)
    if (close !== undefined) this.end(close, reason)
  }

  reported({ code, reason, messageType, count, cause }: ReportedRefusal): void {
    this.audit({ type: 'message.reported', code, reason, messageType, count })
    if (cause !== undefined) this.report.thrown(cause, 'a check threw', messageType)
  }

  refresh(token: string): Promise<boolean> {
    return this.rights.refresh(token)
  }
}
