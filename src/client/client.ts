import type { HandshakeRefusalCode } from '../errors.ts'
import { lost, meaningOf } from './after-close.ts'
import { Answers } from './answers.ts'
import { ClientError, type ClientErrorCode } from './client-error.ts'
import { bounded, within } from './deadline.ts'
import { addressOf, askWhy, hangUp, shakeHands, type Target } from './handshake.ts'
import { callContained, Incoming, readMessage } from './incoming.ts'
import type { AnyMessages, AskedType, Giver, IncomingOf, IncomingType, Messages, Outgoing } from './messages.ts'
import type { ClientState, ConnectOptions, Direct, Request } from './options.ts'
import { hintIn, pauseBefore } from './pause.ts'
import { Queue } from './queue.ts'
import { type RequestOptions, Requests } from './requests.ts'
import { Silence } from './silence.ts'
import { Told } from './state.ts'
import { isOffline, type PlainSocket } from './surroundings.ts'
import { type News, onNews } from './wake.ts'

export { ClientError, type ClientErrorCode } from './client-error.ts'
export type { AnyMessages, AskedType, Giver, Messages, ProtocolMessages } from './messages.ts'
export type * from './options.ts'

/** A connection that has held so long is no failure when it ends. */
const held = 10_000

/**
 * Opens a connection that lasts: it comes back with a fresh credential when it is lost, and stops when the server says that coming
 * back is no use.
 *
 *     const client = connect<MessagesOf<typeof chat>>('/chat')
 *
 * @param url of the socket; `/chat` is one of this page's server
 * @throws TypeError when `url` is not a URL
 */
export function connect<M extends Messages = AnyMessages>(
  url: string | URL,
  options: ConnectOptions<M> = {},
): Client<M> {
  return new Client<M>(addressOf(url), options)
}

/** A connection that lasts. */
export class Client<M extends Messages = AnyMessages> {
  readonly #url: URL
  readonly #options: ConnectOptions<M>
  readonly #timeout: number
  readonly #told = new Told()
  readonly #incoming = new Incoming()
  readonly #requests = new Requests()
  readonly #answers = new Answers()
  readonly #forgetNews: () => void
  readonly #queue: Queue
  readonly #silence: Silence
  #socket: PlainSocket | undefined
  /** Counts beginnings and endings: what belongs to an earlier one comes too late. */
  #turn = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  /** A moment of `performance.now()` before which the server wants nobody back. */
  #notBefore = 0
  /** When it tries again by itself, by the same clock. */
  #retryAt = 0
  #openedAt: number | undefined
  #closedHere = false
  /** A new credential was tried after 3000, or somebody signed in, and no connection has held since. */
  #renewed = false
  #signedIn = false
  #renewing = false

  /**
   * Made by `connect`.
   * @internal
   */
  constructor(url: URL, options: ConnectOptions<M>) {
    this.#url = url
    this.#options = options
    this.#timeout = bounded(options.timeout ?? 10_000)
    this.#queue = new Queue(options.queue ?? 100)
    this.#silence = new Silence(bounded(options.silence ?? 30_000))
    this.#forgetNews = onNews((news) => this.#hear(news))
    void this.#attempt()
  }

  /**
   * Sends a message and waits for its answer. It is sent once: when the connection is lost after that, nobody knows whether the
   * server has done its work, and the promise rejects with `SWS_LOST`.
   */
  readonly request: Request<M> = (type, body, options = {}) =>
    this.#ask(type, body, options, (text, id) => this.#send(text, id))

  /** The state now. A new object each time it changes. */
  get state(): ClientState {
    return this.#told.now
  }

  /** Tells the state, now and whenever it changes. Returns its own end. */
  subscribe(watcher: (state: ClientState) => void): () => void {
    return this.#told.subscribe(watcher)
  }

  /** Listens to messages of one type. Returns its own end. */
  on<Type extends IncomingType<M>>(type: Type, listener: (message: IncomingOf<M, Type>) => void): () => void {
    return this.#incoming.on(type, listener)
  }

  /**
   * Answers the server when it asks with a message of this type, in the place of whoever did before. Returns its own end.
   */
  answer<Type extends AskedType<M>>(type: Type, giver: Giver<M, Type>): () => void {
    return this.#answers.on(type, giver)
  }

  /**
   * Sends a message, or lets it wait for a connection.
   * @throws ClientError `SWS_NOT_OPEN` when the queue is full, `SWS_CLOSED` when nothing is going to be sent
   */
  send(message: Outgoing<M>): void {
    this.#send(JSON.stringify(message), undefined)
  }

  /**
   * Sends a binary frame, of a route that has `binary`. None waits for a connection.
   * @throws ClientError `SWS_NOT_OPEN` when there is none, `SWS_CLOSED` when there is not going to be one
   */
  sendBytes(bytes: ArrayBuffer | Blob): void {
    this.#checkGoingOn()
    if (this.state.name !== 'open') throw new ClientError('SWS_NOT_OPEN')
    this.#socket?.send(bytes)
  }

  /** Every message that comes, from now on. Ends with the client, and throws when the handshake is refused. */
  [Symbol.asyncIterator](): AsyncIterator<IncomingOf<M, IncomingType<M>>, undefined> {
    return this.#incoming.loop(this.#closedHere) as AsyncIterator<IncomingOf<M, IncomingType<M>>, undefined>
  }

  /**
   * Tries again now: after signing in, or because somebody asks for it.
   * @throws ClientError `SWS_CLOSED` after `close()`
   */
  reconnect(): void {
    if (this.#closedHere) throw new ClientError('SWS_CLOSED')
    if (this.state.name === 'open' || this.state.name === 'connecting') return
    this.#failures = 0
    this.#renewed = this.#signedIn = false
    void this.#attempt()
  }

  /**
   * Ends it for good. Resolves when the other side has answered, or has not for two seconds; rejects when it ended with another code,
   * because no page may send this one, or so long a reason.
   */
  async close(code = 1000, reason = ''): Promise<void> {
    this.#closedHere = true
    this.#forgetNews()
    const socket = this.#leave('SWS_CLOSED')
    if (this.state.name !== 'closed') this.#end({ name: 'closed', code, reason: 'closed here' })
    if (socket) await hangUp(socket, code, reason)
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @returns whether nothing else has begun or ended since */
  #begin(): () => boolean {
    clearTimeout(this.#timer)
    const turn = ++this.#turn
    return () => turn === this.#turn
  }

  async #attempt(): Promise<void> {
    const isCurrent = this.#begin()
    this.#told.set({ name: 'connecting' })
    const target = await this.#target()
    if (!isCurrent()) return
    if (target === undefined) this.#wait('credential failed')
    else if (target === null) this.#refuse('SWS_UNAUTHENTICATED')
    else this.#open(target, isCurrent)
  }

  /** Where to go, as whom: `null` with nobody to go, `undefined` when nobody could say. */
  async #target(): Promise<Target | null | undefined> {
    const { credential: fetchOne, protocols } = this.#options
    try {
      const credential = await within(() => fetchOne?.(), this.#timeout)
      return credential === null ? null : { url: this.#url, credential, protocols }
    } catch {
      return undefined
    }
  }

  #open(target: Target, isCurrent: () => boolean): void {
    let socket: PlainSocket
    try {
      socket = shakeHands(target)
    } catch (error) {
      // Not a failure of the network: the page may not open this one, however often it tries.
      this.#end({ name: 'closed', code: lost, reason: String(error) })
      return
    }
    this.#socket = socket
    let isOpen = false
    const failed = () => {
      if (!isCurrent() || isOpen) return
      this.#leave()?.close()
      void this.#askWhy()
    }
    this.#timer = setTimeout(failed, this.#timeout)
    socket.binaryType = 'arraybuffer'
    socket.onerror = failed
    socket.onclose = ({ code, reason }) => {
      if (!isOpen) failed()
      else if (isCurrent()) this.#over(code, reason)
    }
    socket.onmessage = ({ data }) => {
      this.#silence.heard()
      if (isCurrent()) this.#receive(data)
    }
    socket.onopen = () => {
      if (!isCurrent()) return
      isOpen = true
      clearTimeout(this.#timer)
      this.#openedAt = performance.now()
      const ping = () => this.#ask('ping', {}, { timeout: this.#timeout }, (text) => socket.send(text))
      this.#silence.watch(isCurrent, ping, () => this.#lose())
      void this.#join(socket, isCurrent)
    }
  }

  async #join(socket: PlainSocket, isCurrent: () => boolean): Promise<void> {
    const { join } = this.#options
    const direct: Direct<M> = {
      send: (message) => socket.send(JSON.stringify(message)),
      request: (type, body, options = {}) => this.#ask(type, body, options, (text) => socket.send(text)),
    }
    try {
      await within(() => join?.(direct), this.#timeout)
      if (!isCurrent()) return
    } catch {
      if (!isCurrent()) return
      this.#lose('join failed')
      return
    }
    for (const text of this.#queue.take()) socket.send(text)
    this.#told.set({ name: 'open' })
  }

  #receive(data: unknown): void {
    const { bytes } = this.#options
    if (data instanceof ArrayBuffer) {
      if (bytes) callContained(bytes, data)
      return
    }
    const message = readMessage(data)
    if (!message) return
    const { type } = message
    if (type === 'request') {
      const socket = this.#socket
      void this.#answers.give(message, (text) => this.#socket === socket && socket?.send(text))
      return
    }
    if ((type === 'reply' || type === 'error') && this.#requests.answered(message)) return
    if (type === 'expiring' && !this.#renewing) void this.#renew()
    if (type !== 'reply') this.#incoming.deliver(message)
  }

  /** With a token in band; a cookie is renewed by asking for it, and the server looks again before it ends the session. */
  async #renew(): Promise<void> {
    const isCurrent = this.#still()
    this.#renewing = true
    const token = (await this.#target())?.credential?.token
    this.#renewing = false
    // Refused: the session ends when it was to end, and then the handshake says why.
    if (token !== undefined && isCurrent())
      await this.#ask('refresh', { token }, {}, (text) => this.#socket?.send(text)).catch(() => {})
  }

  #still(): () => boolean {
    const turn = this.#turn
    return () => turn === this.#turn
  }

  #send(text: string, id: number | undefined): void {
    this.#checkGoingOn()
    if (this.state.name === 'open') this.#socket?.send(text)
    else this.#queue.push(text, id)
  }

  #checkGoingOn(): void {
    const { name } = this.state
    if (name === 'refused' || name === 'closed') throw new ClientError('SWS_CLOSED')
  }

  #ask(type: string, body: object, options: RequestOptions, send: (text: string, id: number) => void) {
    return this.#requests.open(
      options,
      (id) => send(JSON.stringify({ ...body, type, id }), id),
      (id) => this.#queue.forget(id),
    ) as Promise<never>
  }

  /** Leaves the connection there is. What had been asked on it has an end, what waits for another one has not. */
  #leave(code: ClientErrorCode = 'SWS_LOST'): PlainSocket | undefined {
    this.#begin()
    const socket = this.#socket
    this.#socket = undefined
    const hasHeld = this.#openedAt !== undefined && performance.now() - this.#openedAt >= held
    this.#openedAt = undefined
    if (hasHeld) {
      this.#failures = 0
      this.#renewed = this.#signedIn = false
    }
    this.#requests.fail(code, this.#queue.ids)
    return socket
  }

  /** An open connection has ended. */
  #over(code: number, reason: string): void {
    const meaning = meaningOf(code, this.#options.closeCodes)
    this.#leave()
    const text = reason.split(';')[0] || (code === lost ? 'connection lost' : `closed with ${code}`)
    if (meaning === 'stop') this.#end({ name: 'closed', code, reason: text })
    else if (meaning !== 'sign in') this.#wait(text, meaning, hintIn(reason))
    else if (this.#renewed) this.#refuse('SWS_UNAUTHENTICATED')
    else {
      this.#renewed = true
      this.#wait(text)
    }
  }

  /** A handshake has failed, and a browser does not say why: the server does. */
  async #askWhy(): Promise<void> {
    const isCurrent = this.#still()
    // Asked as who would come now: a ticket was spent by the handshake that failed.
    const target = isOffline() ? undefined : await this.#target()
    const why = target ? await askWhy(target, this.#timeout) : undefined
    if (!isCurrent()) return
    if (target === null) this.#refuse('SWS_UNAUTHENTICATED')
    else if (!why?.code) this.#wait('connection lost')
    else if (why.reconnect) this.#wait(why.code, 'reconnect', why.retryAfter)
    else this.#refuse(why.code)
  }

  #wait(reason: string, meaning: 'reconnect' | 'later' = 'reconnect', hint?: number): void {
    const pause = pauseBefore(this.#failures++, meaning, hint, this.#options.pause ?? {}, Math.random())
    this.#notBefore = performance.now() + (hint ?? 0)
    this.#waitFor(isOffline() ? 'offline' : reason, pause)
  }

  #waitFor(reason: string, retryIn: number): void {
    this.#begin()
    this.#retryAt = performance.now() + retryIn
    this.#timer = setTimeout(() => void this.#attempt(), retryIn)
    this.#told.set({ name: 'waiting', reason, retryIn })
  }

  #refuse(reason: HandshakeRefusalCode): void {
    const signIn = reason === 'SWS_UNAUTHENTICATED'
    this.#end({ name: 'refused', reason, signIn }, new ClientError(reason))
    const ask = this.#options.signIn
    if (!signIn || !ask || this.#signedIn || this.state.name !== 'refused') return
    this.#signedIn = true
    const isCurrent = this.#still()
    // Somebody types a password: no deadline holds, and the state says all the time that nothing happens by itself.
    void Promise.resolve()
      .then(ask)
      .then((done) => {
        if (done === true && isCurrent()) void this.#attempt()
      })
      .catch(() => {})
  }

  /** Nothing more happens by itself. What waited is not sent later: it may be somebody else who signs in. */
  #end(state: ClientState, error?: ClientError): void {
    this.#begin()
    this.#queue.take()
    this.#requests.fail(error?.code ?? 'SWS_CLOSED')
    this.#incoming.end(error)
    // Last: whoever is told may begin anew.
    this.#told.set(state)
  }

  #hear(news: News): void {
    const { state } = this
    if (state.name === 'waiting') {
      if (news === 'offline') return
      // All at once is how a whole office comes back, too; and never before the server wants it.
      const now = performance.now()
      const sooner = Math.max(0, this.#notBefore - now) + Math.random() * (this.#options.pause?.first ?? 1_000)
      if (news === 'moved') this.#failures = 0
      if (now + sooner < this.#retryAt) this.#waitFor(state.reason, Math.round(sooner))
    } else if (news !== 'seen' && (state.name === 'open' || state.name === 'connecting')) this.#lose()
  }

  #lose(reason = 'connection lost'): void {
    this.#leave()?.close()
    this.#wait(reason)
  }
}
