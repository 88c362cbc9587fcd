import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Admitted } from '../connection/admitted.ts'
import { type BinaryType, binaryTypes } from '../connection/binary-type.ts'
import { closeReasonBytes, controlBytes, isSendableCloseCode } from '../connection/close.ts'
import { Connection } from '../connection/connection.ts'
import { controlText } from '../connection/control-text.ts'
import { emitContained } from '../connection/listeners.ts'
import { joinRoom, leaveRoom } from '../connection/membership.ts'
import type { SendCallback, SendOptions } from '../connection/port.ts'
import { type AskOptions, Requests } from '../connection/requests.ts'
import type { Surroundings } from '../connection/surroundings.ts'
import type { Audience } from '../rooms/audience.ts'
import type { Grant } from '../rooms/rooms.ts'
import type { Session } from '../session/session.ts'
import { createTurn } from './coalescer.ts'
import { setSocket, stateInWs, type WsSocket, waitingInWs } from './internals.ts'
import { releaseResponse } from './response.ts'
import { socketId } from './socket-id.ts'
import { WebSocketWire } from './ws-port.ts'

/** As ws declares it for `ping` and `pong`. */
type ControlCallback = (error: Error) => void

/** What the class needs of the plugin: who was admitted on which stream, and what all sockets share. */
export interface SocketSource {
  readonly surroundings: Surroundings
  /** Hands out an admission once: a second socket on the same stream has none. */
  take(stream: Duplex): Admitted | undefined
  /** A room, on every node, without this connection. */
  to(connection: Connection, room: string): Audience
  room(room: string): Audience
}

/**
 * The socket class for one server, handed to @fastify/websocket through its `WebSocket` option. It is a `ws` WebSocket, so
 * everything that takes one works; what goes in and out passes `Connection`.
 */
export function secureSockets(source: SocketSource): SecureSockets {
  const { scope } = source.surroundings
  const turn = createTurn((bytes) => source.surroundings.memory.add(bytes))
  let connectionOf: SecureSockets['connectionOf'] = unopened
  class SecureWebSocket extends WebSocket {
    #connection: Connection | undefined

    static {
      connectionOf = (socket) => {
        // Whoever replaces the class of ws finds no connection, and no socket of ours.
        if (!(#connection in socket)) throw new TypeError('This socket is not of this server.')
        return (socket as SecureWebSocket).#opened
      }
      // ws hands `binaryType` on to its receiver, and then frames come as something without a `length`: the byte rate would
      // count NaN, for ever. The receiver keeps making Buffers; what the application asked for is made at its listener.
      Object.defineProperty(SecureWebSocket.prototype, 'binaryType', {
        get(this: SecureWebSocket) {
          return this.#connection?.wire.binaryType ?? 'nodebuffer'
        },
        set(this: SecureWebSocket, type: BinaryType) {
          if (this.#connection !== undefined && binaryTypes.has(type)) this.#connection.wire.binaryType = type
        },
      })
      Object.defineProperty(SecureWebSocket.prototype, 'bufferedAmount', {
        get(this: SecureWebSocket) {
          return this.#connection?.waiting ?? waitingInWs(this)
        },
      })
      // From the application's `close()` on nothing can be sent; ws itself hears of it when the close frame's turn has come.
      Object.defineProperty(SecureWebSocket.prototype, 'readyState', {
        get(this: SecureWebSocket) {
          const connection = this.#connection
          if (connection?.finishing === true && !connection.wire.passing) return WebSocket.CLOSING
          return stateInWs(this)
        },
      })
    }

    /**
     * Takes the stream over: ws calls it right after it has written the 101, the first moment that this object is
     * somebody's socket.
     * @internal
     */
    setSocket(stream: Duplex, head: Buffer, options: { maxPayload?: number }): void {
      const admitted = source.take(stream)
      if (admitted === undefined) {
        // Nobody asked the guard about this stream. There is no such socket.
        stream.destroy()
        return
      }
      // Before ws listens as well: a third listener to `close` has the list of them made anew, with room for many.
      releaseResponse(stream)
      // Made by ws for this call.
      const { messageBytes } = admitted.policy.limits
      options.maxPayload = messageBytes
      setSocket.call(this, stream, head, options)
      const wire = new WebSocketWire(this as WebSocket as WsSocket, stream, turn, messageBytes)
      this.#connection = new Connection(socketId, this, wire, admitted, source.surroundings)
    }

    /** 128 random bits: names this socket in events and in `sockets()`. */
    get id(): string {
      return this.#opened.id
    }

    get session(): Session | null {
      return this.#opened.session
    }

    get rooms(): ReadonlySet<string> {
      return this.#opened.rooms
    }

    /** Private, as it leads past the encoder: no handler is to reach it. */
    get #opened(): Connection {
      if (this.#connection === undefined) throw new TypeError('This socket was never opened by the server.')
      return this.#connection
    }

    request(type: string, body: object, options?: AskOptions): Promise<unknown> {
      const connection = this.#opened
      connection.requests ??= new Requests(connection)
      return connection.requests.ask(type, body, options)
    }

    join(room: string, grant?: Grant): Promise<boolean> | undefined {
      return joinRoom(this.#opened, source.surroundings, room, grant)
    }

    leave(room: string): void {
      leaveRoom(this.#opened, source.surroundings.rooms, room)
    }

    to(room: string): Audience {
      return source.to(this.#opened, room)
    }

    room(room: string): Audience {
      return source.room(room)
    }

    override send(value: unknown, options?: SendOptions | SendCallback, callback?: SendCallback): void {
      if (typeof options === 'function') this.#opened.send(value, undefined, options)
      else this.#opened.send(value, options, callback)
    }

    /**
     * Closes with a code and a reason. The reason is plain text: it is encoded and cut to the 123 bytes that a close
     * frame has room for (RFC 6455 section 5.5). Nothing is delivered or sent after the call.
     *
     * @throws TypeError for a code that no close frame may carry; the socket is as open as before then
     */
    override close(code?: number, reason?: string | Buffer): void {
      const connection = this.#connection
      if (connection === undefined) return
      if (code !== undefined && !isSendableCloseCode(code)) {
        throw new TypeError(`${String(code)} is no close code. Write 1000, or one from 3000 to 4999.`)
      }
      // ws echoes the client's own close frame through this method. Its code goes back, its text does not.
      const isEcho = (this as WebSocket as WsSocket)._closeFrameReceived
      connection.close(code, code === undefined || isEcho ? undefined : controlText(reason, closeReasonBytes))
    }

    /**
     * Ends the connection without a close frame. Nothing that was already read is delivered after this: ws alone
     * parses what the stream still holds.
     */
    override terminate(): void {
      const connection = this.#connection
      if (connection === undefined) {
        super.terminate()
        return
      }
      connection.gate(abnormalClosure)
      connection.wire.terminate()
    }

    /**
     * Sends a ping. Its payload is text: encoded, and cut to 125 bytes. The heartbeat (`limits.heartbeat`) needs no
     * help.
     */
    override ping(payload?: unknown, mask?: boolean | ControlCallback, callback?: ControlCallback): void {
      const [text, called] = controlArguments(payload, mask, callback)
      this.#opened.wire.ping(text, called && this.#opened.contained(called))
    }

    /** Sends a pong. Text is encoded and cut to 125 bytes, bytes go as they are. */
    override pong(payload?: unknown, mask?: boolean | ControlCallback, callback?: ControlCallback): void {
      const { wire } = this.#opened
      // Bytes are ws answering a ping with the client's own payload, as RFC 6455 section 5.5.3 asks for.
      const [text, called] = controlArguments(payload, mask, callback)
      // A copy: the application may send bytes as well, and refill them before they leave.
      const bytes = Buffer.isBuffer(payload) ? Buffer.copyBytesFrom(payload) : text
      wire.pong(bytes, called && this.#opened.contained(called))
    }

    /** Stops reading: no listener is called until `resume()`. What the client sends waits in the kernel. */
    override pause(): void {
      // After the end only the peer's close frame is still to come.
      if (!this.#opened.ended) this.#opened.wire.block('application')
    }

    /** Reads again. */
    override resume(): void {
      this.#opened.wire.unblock('application')
    }

    /** Adds a listener. Reading begins with the first one that a message can reach, or when the handler has returned. */
    override on(event: string | symbol, listener: (...args: never[]) => void): this {
      super.on(event, listener as () => void)
      if (typeof event === 'string') this.#connection?.listenerAdded(event)
      return this
    }

    /** The same as `on`. */
    override addListener(event: string | symbol, listener: (...args: never[]) => void): this {
      return this.on(event, listener)
    }

    /** Adds a listener before the others. */
    override prependListener(event: string | symbol, listener: (...args: never[]) => void): this {
      super.prependListener(event, listener as () => void)
      if (typeof event === 'string') this.#connection?.listenerAdded(event)
      return this
    }

    /**
     * Decides what a frame of ws is before anybody hears of it.
     * @internal
     */
    override emit(event: string | symbol, ...args: unknown[]): boolean {
      const connection = this.#connection
      if (connection === undefined || typeof event === 'symbol') return super.emit(event, ...args)
      if (event === 'message') {
        scope.run(takeFrame, connection, args[0] as Buffer, args[1] === true)
        return true
      }
      // What the application emits itself stays in its own context.
      if (!eventsOfWs.has(event)) return emitHere(this, connection, event, args)
      return scope.run(emitApart, this, connection, event, args)
    }
  }
  function* open(): Generator<WebSocket, undefined> {
    for (const held of source.surroundings.sweep.items) {
      if (held instanceof Connection && held.socket instanceof SecureWebSocket) yield held.socket
    }
  }
  return { SecureWebSocket, connectionOf, open }
}

/** The class, and the way from one of its sockets to the state of it, which the plugin has and no handler. */
export interface SecureSockets {
  readonly SecureWebSocket: new (...parameters: ConstructorParameters<typeof WebSocket>) => WebSocket
  connectionOf(socket: WebSocket): Connection
  /** Those that are open. */
  open(): Iterable<WebSocket>
}

function takeFrame(connection: Connection, bytes: Buffer, isBinary: boolean): void {
  connection.frame(bytes, isBinary)
}

function emitApart(socket: WebSocket, connection: Connection, event: string, args: readonly unknown[]): boolean {
  connection.happened(event, args)
  return emitHere(socket, connection, event, args)
}

function emitHere(socket: WebSocket, connection: Connection, event: string, args: readonly unknown[]): boolean {
  return emitContained(socket, event, args, (error) => connection.fault(error))
}

function unopened(): never {
  throw new TypeError('This socket is not of this server.')
}

/** Emitted by ws on an open socket of a server, besides `message`. */
const eventsOfWs: ReadonlySet<string> = new Set(['close', 'error', 'ping', 'pong'])

/** RFC 6455 section 7.1.5: never on the wire, only in `close` events and ours. */
const abnormalClosure = 1006

/** ws lets both of the others be left out, in front of a callback. */
function controlArguments(
  payload: unknown,
  mask: boolean | ControlCallback | undefined,
  callback: ControlCallback | undefined,
): [text: string, ControlCallback | undefined] {
  if (typeof payload === 'function') return ['', payload as ControlCallback]
  return [controlText(payload, controlBytes), typeof mask === 'function' ? mask : callback]
}
