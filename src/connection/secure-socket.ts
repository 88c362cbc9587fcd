import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { type EncodeMode, encodeText, type Outgoing } from '../outbound/outbound.ts'
import type { Audience } from '../rooms/audience.ts'
import type { Grant } from '../rooms/rooms.ts'
import type { Session } from '../session/session.ts'
import type { Admitted, LifeWire, Surroundings } from './admitted.ts'
import { type BinaryType, binaryTypes, shapeBytes } from './binary-type.ts'
import { closeReasonBytes, controlBytes, cutToBytes, isSendableCloseCode } from './close.ts'
import { Coalescer, createTurn, type Piece, type WriteCallback } from './coalesce.ts'
import { Connection } from './connection.ts'
import { emitContained } from './listeners.ts'
import type { FrameOptions, SendCallback } from './sending.ts'

/** As ws declares it for `ping` and `pong`. */
type ControlCallback = (error: Error) => void

export interface SendOptions extends FrameOptions {
  readonly binary?: boolean | undefined
  readonly mask?: boolean | undefined
  /** For this one payload, instead of the route's. */
  readonly encode?: EncodeMode | undefined
}

/** What the class needs of the plugin: who was admitted on which stream, and what all sockets share. */
export interface SocketSource {
  readonly surroundings: Surroundings
  /** Hands out an admission once: a second socket on the same stream has none. */
  take(stream: Duplex): Admitted | undefined
  to(connection: Connection, room: string): Audience
}

/** ws's internals that are read or used here; `test/connection/ws-internals.test.ts` fails when ws changes one. */
interface WsReceiver {
  readonly _state: number
  readonly _bufferedBytes: number
  readonly _fragmented: number
}
interface WsSender {
  send(payload: unknown, options: SendOptions | undefined, callback: SendCallback | undefined): void
  readonly _state: number
  readonly _firstFragment: boolean
  sendFrame(pieces: readonly Piece[], callback: WriteCallback | undefined): void
  readonly _queue: readonly unknown[]
}

/**
 * The socket class for one server, handed to @fastify/websocket through its `WebSocket` option. It is a `ws` WebSocket, so
 * everything that takes one works; what goes in and out passes `Connection`.
 */
export function secureSocketClass(source: SocketSource): SecureSocketClass {
  const turn = createTurn()
  return class SecureWebSocket extends WebSocket {
    declare readonly _receiver: WsReceiver | null
    declare readonly _sender: WsSender | null
    declare readonly _socket: (Duplex & { readonly bytesWritten?: number }) | null
    #connection: Connection | undefined
    #held = 0
    #paused = false
    #passing = false
    #coalescer: Coalescer | undefined

    #binaryType: BinaryType = 'nodebuffer'

    // ws hands `binaryType` on to its receiver, and then frames come as something without a `length`: the byte rate would
    // count NaN, for ever. The receiver keeps making Buffers; what the application asked for is made at its listener.
    static {
      Object.defineProperty(SecureWebSocket.prototype, 'binaryType', {
        get(this: SecureWebSocket) {
          return this.#binaryType
        },
        set(this: SecureWebSocket, type: BinaryType) {
          if (binaryTypes.has(type)) this.#binaryType = type
        },
      })
      const ofWs = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'bufferedAmount')
      Object.defineProperty(SecureWebSocket.prototype, 'bufferedAmount', {
        get(this: SecureWebSocket) {
          return Number(ofWs?.get?.call(this)) + (this.#coalescer?.bytes ?? 0)
        },
      })
    }

    /** Called by ws right after it has written the 101: the first moment that this object is somebody's socket. */
    setSocket(stream: Duplex, head: Buffer, options: { maxPayload?: number }): void {
      const admitted = source.take(stream)
      if (admitted === undefined) {
        // Nobody asked the guard about this stream. There is no such socket.
        stream.destroy()
        return
      }
      const { messageBytes } = admitted.policy.limits
      setSocket.call(this, stream, head, { ...options, maxPayload: messageBytes })
      this.#guardSender()
      const id = randomBytes(16).toString('base64url')
      this.#connection = new Connection(id, this, this.#wire(), admitted, source.surroundings)
    }

    /** 128 random bits: names this socket in events and in `sockets()`. */
    get id(): string {
      return this.connection.id
    }

    get session(): Session | null {
      return this.connection.session
    }

    get rooms(): ReadonlySet<string> {
      return this.connection.rooms
    }

    get connection(): Connection {
      if (this.#connection === undefined) throw new TypeError('This socket was never opened by the server.')
      return this.#connection
    }

    join(room: string, grant?: Grant): void {
      if (!this.connection.ended) source.surroundings.rooms.join(this.connection, room, grant)
    }

    leave(room: string): void {
      source.surroundings.rooms.leave(this.connection, room)
    }

    to(room: string): Audience {
      return source.to(this.connection, room)
    }

    override send(value: unknown, options?: SendOptions | SendCallback, callback?: SendCallback): void {
      if (typeof options === 'function') this.connection.send(value, undefined, options)
      else this.connection.send(value, options, callback)
    }

    /**
     * The reason is plain text: it is encoded and cut to the 123 bytes a close frame has room for.
     *
     * @throws TypeError for a code that no close frame may carry; the socket is as open as before then
     */
    override close(code?: number, reason?: string | Buffer): void {
      const connection = this.#connection
      if (connection === undefined) return
      if (code !== undefined && !isSendableCloseCode(code)) {
        throw new TypeError(`${String(code)} is no close code. Write 1000, or one from 3000 to 4999.`)
      }
      connection.gate(code ?? 1005)
      // ws echoes the client's own close frame through this method. Its code goes back, its text, which is bytes, does not.
      if (code === undefined || typeof reason !== 'string') super.close(code)
      else super.close(code, cutToBytes(encodeText(reason, 'html'), closeReasonBytes))
    }

    /** Nothing that was already read is delivered after this: ws alone parses what the stream still holds. */
    override terminate(): void {
      this.#connection?.gate(abnormalClosure)
      this.#coalescer?.flush()
      super.terminate()
    }

    override ping(payload?: unknown, mask?: boolean | ControlCallback, callback?: ControlCallback): void {
      const [text, done] = controlArguments(payload, mask, callback)
      super.ping(text, undefined, done)
    }

    override pong(payload?: unknown, mask?: boolean | ControlCallback, callback?: ControlCallback): void {
      // Bytes are ws answering a ping with the client's own payload, as RFC 6455 section 5.5.3 asks for.
      if (Buffer.isBuffer(payload)) super.pong(payload, undefined, typeof mask === 'function' ? mask : callback)
      else {
        const [text, done] = controlArguments(payload, mask, callback)
        super.pong(text, undefined, done)
      }
    }

    override pause(): void {
      this.#paused = true
      super.pause()
    }

    override resume(): void {
      this.#paused = false
      if (this.#held === 0) super.resume()
    }

    override on(event: string | symbol, listener: (...args: never[]) => void): this {
      super.on(event, listener as () => void)
      if (typeof event === 'string') this.#connection?.listenerAdded(event)
      return this
    }

    override addListener(event: string | symbol, listener: (...args: never[]) => void): this {
      return this.on(event, listener)
    }

    override prependListener(event: string | symbol, listener: (...args: never[]) => void): this {
      super.prependListener(event, listener as () => void)
      if (typeof event === 'string') this.#connection?.listenerAdded(event)
      return this
    }

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      const connection = this.#connection
      if (connection === undefined || typeof event === 'symbol') return super.emit(event, ...args)
      if (event === 'message') {
        connection.frame(args[0] as Buffer, args[1] === true)
        return true
      }
      if (event === 'close') connection.closed(Number(args[0]))
      else if (event === 'ping') connection.ping()
      else if (event === 'pong') connection.pong(args[0] as Buffer)
      // `error` without a listener throws, as everywhere in Node; @fastify/websocket always attaches one.
      if (event === 'error' && this.listenerCount('error') === 0) return super.emit(event, ...args)
      return emitContained(this, event, args, (error) => connection.fault(error))
    }

    #wire(): LifeWire {
      const socket = this
      return {
        get open() {
          return socket.readyState === WebSocket.OPEN
        },
        get waiting() {
          return socket.bufferedAmount
        },
        get reading() {
          return !socket.isPaused
        },
        get midMessage() {
          const receiver = socket._receiver
          return (
            receiver !== null && (receiver._state !== 0 || receiver._bufferedBytes > 0 || receiver._fragmented !== 0)
          )
        },
        get written() {
          const { bytesWritten, writableLength } = socket._socket ?? {}
          // Node counts what it still holds as written.
          return bytesWritten === undefined ? undefined : bytesWritten - (writableLength ?? 0)
        },
        write: (outgoing, options, callback) => socket.#write(outgoing, options, callback),
        writeFrame: (frame) => socket.#writeFrame(frame),
        hold: () => socket.#hold(),
        release: () => socket.#release(),
        shape: (bytes) => shapeBytes(bytes, socket.#binaryType),
        ping: (payload) => super.ping(payload, false),
        closeFrame: (code, reason) => super.close(code, reason),
        terminate: () => {
          // What was sent before goes as far as the kernel takes it, as with ws.
          socket.#coalescer?.flush()
          super.terminate()
        },
      }
    }

    #write({ payload, binary }: Outgoing, options: FrameOptions | undefined, callback: SendCallback | undefined): void {
      const frame = { compress: options?.compress ?? true, fin: options?.fin ?? true, binary }
      this.#passing = true
      try {
        super.send(payload, frame, callback)
      } finally {
        this.#passing = false
      }
    }

    /**
     * OU-05: `WebSocket.prototype.send.call(socket, text)` and `socket._sender.send(text, {})` do not pass our `send`. All of
     * ws's own ways to a message end in the sender's method; there, what did not come from the encoder is sent to it.
     */
    #guardSender(): void {
      const { _sender: sender, _socket: stream } = this
      if (sender === null || stream === null) return
      const { send } = sender
      const coalescer = new Coalescer(stream, turn)
      this.#coalescer = coalescer
      // Every frame of ws ends here, control frames too, so nothing overtakes what waits for the end of the turn.
      sender.sendFrame = (pieces, callback) => coalescer.push(pieces, callback)
      sender.send = (payload, options, callback) => {
        if (this.#passing) send.call(sender, payload, options, callback)
        else this.send(payload, { binary: options?.binary, compress: options?.compress, fin: options?.fin }, callback)
      }
    }

    /** Straight to the stream: only while nothing of ws stands in front of it, or frames would overtake each other. */
    #writeFrame(frame: Buffer): boolean {
      const { _sender: sender } = this
      if (sender === null || this.#coalescer === undefined) return false
      if (sender._state !== 0 || !sender._firstFragment || sender._queue.length > 0) return false
      if (this.extensions !== '') return false
      this.#coalescer.push([frame])
      return true
    }

    #hold(): void {
      this.#held++
      super.pause()
    }

    #release(): void {
      this.#held--
      if (this.#held === 0 && !this.#paused) super.resume()
    }
  }
}

/** A ws socket whose state is within reach of the plugin. */
export interface ConnectedSocket extends WebSocket {
  readonly connection: Connection
}
export type SecureSocketClass = new (...parameters: ConstructorParameters<typeof WebSocket>) => ConnectedSocket

interface SetSocket {
  setSocket(this: WebSocket, stream: Duplex, head: Buffer, options: object): void
}

/** Documented by ws as private, and the one place where a server-side socket gets its stream (stack facts: pause here). */
const { setSocket } = WebSocket.prototype as WebSocket & SetSocket

/** RFC 6455 section 7.1.5: never on the wire, only in `close` events and ours. */
const abnormalClosure = 1006

function isBytes(value: unknown): value is ArrayBufferLike | ArrayBufferView {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
}

function textOf(bytes: ArrayBufferLike | ArrayBufferView): string {
  return ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    : Buffer.from(bytes).toString()
}

/** Control frames carry text of ours or the application's: encoded like any other, cut to what a control frame holds. */
function controlArguments(
  payload: unknown,
  mask: boolean | ControlCallback | undefined,
  callback: ControlCallback | undefined,
): [string, ControlCallback | undefined] {
  if (typeof payload === 'function') return ['', payload as ControlCallback]
  const done = typeof mask === 'function' ? mask : callback
  if (payload === undefined || payload === null) return ['', done]
  const text = isBytes(payload) ? textOf(payload) : String(payload)
  return [cutToBytes(encodeText(text, 'html'), controlBytes), done]
}
