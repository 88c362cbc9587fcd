import { clearTimeout, setTimeout } from 'node:timers'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { Answers } from '../client/answers.ts'
import type {
  AnyMessages,
  AskedType,
  BodyOf,
  Giver,
  IncomingOf,
  IncomingType,
  Messages,
  Outgoing,
} from '../client/messages.ts'
import type { MessageRefusalCode } from '../errors.ts'
import { type CallerOptions, callerOf } from './caller.ts'
import { Overheard } from './heard.ts'
import { Inbox } from './inbox.ts'
import { dial } from './loopback.ts'
import { MessageRefused } from './message-refused.ts'
import { clientOver, opened } from './shake.ts'

/** The client that `connect` plays. */
export interface ConnectOptions extends CallerOptions {
  /** How long `next`, `request` and the others wait, in ms. Default 2,000. */
  readonly patience?: number
}

/** The end of a socket. */
export interface Closed {
  /** The code of the close frame; 1005 without one, 1006 when the connection went without a word. */
  readonly code: number
  /** The reason of the close frame. */
  readonly reason: string
}

/**
 * Opens a socket to your application over a TCP connection on the loopback address. The application need not listen, and needs no
 * certificate: the kit hands its HTTP server the connection, and says of it that it is encrypted.
 *
 *     await using ada = await connect<MessagesOf<typeof chat>>(app, '/chat', { session: { id: 's1', userId: 'ada' } })
 *     ada.send({ type: 'say', text: 'hello' })
 *     assert.equal((await ada.next('said')).text, 'hello')
 *
 * @throws HandshakeRefused with the code, the server's reason and the way out
 */
export async function connect<M extends Messages = AnyMessages>(
  app: FastifyInstance,
  path: string,
  options: ConnectOptions = {},
): Promise<TestClient<M>> {
  const caller = await callerOf(app, path, options)
  const socket = clientOver(await dial(app, caller), caller)
  const client = new TestClient<M>(socket, path, options.patience ?? 2_000)
  await opened(socket, caller)
  return client
}

/** A client that keeps everything it hears, from the first byte on, until the test asks for it. */
export class TestClient<M extends Messages = AnyMessages> {
  /** The `WebSocket` of ws underneath, for whatever has no method here. */
  readonly socket: WebSocket
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<Closed>
  readonly #inbox: Inbox
  readonly #patience: number
  readonly #answers = new Answers()
  #lastId = 0

  /**
   * Made by `connect`.
   * @internal
   */
  constructor(socket: WebSocket, path: string, patience: number) {
    this.socket = socket
    this.#patience = patience
    this.#inbox = new Inbox(path)
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.#inbox.end(code, String(reason))
        resolve({ code, reason: String(reason) })
      })
    })
    socket.on('error', () => {})
    socket.on('message', (data: Buffer, isBinary) => {
      const asked = this.#inbox.push(data, isBinary)
      if (asked !== undefined) void this.#answers.give(asked, (text) => socket.send(text))
    })
  }

  /** Every message so far, oldest first, also those that `next` has returned. Replies are not among them. */
  get heard(): readonly IncomingOf<M, IncomingType<M>>[] {
    return this.#inbox.heard as readonly IncomingOf<M, IncomingType<M>>[]
  }

  /** Sends a message. */
  send(message: Outgoing<M>): void {
    this.socket.send(JSON.stringify(message))
  }

  /** Sends a frame as it is, text or bytes: no JSON is made of it. */
  sendRaw(frame: string | Uint8Array): void {
    this.socket.send(frame)
  }

  /**
   * The next message, of this type or of any: the oldest that was not returned yet, or one that is still to come. Messages of other
   * types wait for a `next` of their own.
   * @throws Error when none comes within `patience`, or the connection ends before; it says what was heard instead
   */
  next<Type extends IncomingType<M>>(type: Type): Promise<IncomingOf<M, Type>>
  next(): Promise<IncomingOf<M, IncomingType<M>>>
  next(type?: string): Promise<unknown> {
    return this.#inbox.take('message', type, this.#patience)
  }

  /** The next text frame that is no message: of a route that speaks something else than JSON. @throws Error as `next` */
  async nextText(): Promise<string> {
    return String(await this.#inbox.take('text', undefined, this.#patience))
  }

  /** The next binary frame. @throws Error as `next` */
  async nextBytes(): Promise<Buffer> {
    return (await this.#inbox.take('bytes', undefined, this.#patience)) as Buffer
  }

  /**
   * Sends a message with an `id`, and resolves with what the listener of the server returned.
   * @throws MessageRefused when the server answers with an error
   * @throws Error as `next`
   */
  async request<Type extends keyof M['receives'] & keyof M['replies'] & string>(
    type: Type,
    body: BodyOf<M['receives'][Type]>,
  ): Promise<M['replies'][Type]> {
    const id = ++this.#lastId
    const overheard = new Overheard()
    try {
      this.socket.send(JSON.stringify({ ...body, type, id }))
      const answer = await this.#inbox.answer(id, type, this.#patience)
      if (answer.type === 'reply') return answer.value as M['replies'][Type]
      const code = answer.code as MessageRefusalCode
      const event = overheard.last((each) => each.type.startsWith('message.') && each.code === code)
      throw new MessageRefused(type, code, answer.retryAfter, event?.reason)
    } finally {
      overheard.stop()
    }
  }

  /**
   * Answers the server when it asks with a message of this type. Without one the server hears at once that nobody does
   * (`SWS_DECLINED`). Returns its own end.
   */
  answer<Type extends AskedType<M>>(type: Type, giver: Giver<M, Type>): () => void {
    return this.#answers.on(type, giver)
  }

  /** Ends the connection, by force when the server has not answered the close frame within a second. */
  async close(code = 1000, reason = ''): Promise<Closed> {
    const { socket } = this
    if (socket.readyState === socket.OPEN) socket.close(code, reason)
    const timer = setTimeout(() => socket.terminate(), 1_000)
    const closed = await this.closed
    clearTimeout(timer)
    return closed
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
