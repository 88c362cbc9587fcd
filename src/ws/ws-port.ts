import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { type BinaryType, shapeBytes } from '../connection/binary-type.ts'
import { noCode } from '../connection/close.ts'
import type { Block, FrameOptions, Port, PortOwner, SendCallback } from '../connection/port.ts'
import type { Outgoing } from '../outbound/outbound.ts'
import { type SharedFrame, textFrameOf } from '../outbound/shared-frame.ts'
import type { Turn, WriteCallback } from './coalescer.ts'
import { guardReceiver } from './guarded-receiver.ts'
import { guardSender, SenderStream } from './guarded-sender.ts'
import { ofWs, stateInWs, type WsFrameOptions, type WsSocket, waitingInWs } from './internals.ts'

const nothing = Buffer.alloc(0)

const bitOf: Readonly<Record<Block, number>> = { opening: 1, queue: 2, application: 4 }

/**
 * What a connection needs of an open WebSocket beyond its public methods. It calls those of ws itself, because the socket's own
 * lead back here. One object with the stream of ws's sender, as there are as many of them as sockets.
 */
export class WebSocketWire extends SenderStream implements Port {
  binaryType: BinaryType = 'nodebuffer'
  passing = false
  owner: PortOwner | undefined
  readonly messageBytes: number
  readonly #socket: WsSocket
  /** Whether an extension was agreed on, which ws then applies to each frame. */
  readonly #extended: boolean
  /** Each reason not to read is one bit: the reader goes on when none is left. */
  #blocks = 0

  constructor(socket: WsSocket, stream: Duplex, turn: Turn, messageBytes: number) {
    super(stream, turn)
    this.messageBytes = messageBytes
    this.#socket = socket
    this.#extended = socket.extensions !== ''
    if (socket._sender !== null) guardSender(socket._sender, this)
    if (socket._receiver !== null) guardReceiver(socket._receiver, this)
  }

  get open(): boolean {
    return stateInWs(this.#socket) === WebSocket.OPEN
  }

  get waiting(): number {
    return waitingInWs(this.#socket) + this.bytes
  }

  get behind(): boolean {
    return (this.#socket._socket?.writableLength ?? 0) > 0
  }

  whenTaken(callback: () => void): void {
    const stream = this.#socket._socket
    // Writing after the end is an error; whoever waits is told of that when the socket closes.
    if (stream?.writable === true) stream.write(nothing, (error) => error ?? callback())
  }

  get reading(): boolean {
    return !this.#socket.isPaused
  }

  get midMessage(): boolean {
    const receiver = this.#socket._receiver
    return receiver !== null && (receiver._state !== 0 || receiver._bufferedBytes > 0 || receiver._fragmented !== 0)
  }

  get written(): number | undefined {
    const { bytesWritten, writableLength } = this.#socket._socket ?? {}
    // Node counts what it still holds as written.
    return bytesWritten === undefined ? undefined : bytesWritten - (writableLength ?? 0)
  }

  // --- out ---

  send(outgoing: Outgoing, options: FrameOptions | undefined, callback: SendCallback | undefined): void {
    const { payload, binary } = outgoing
    // Text is copied into its frame whoever makes that; bytes need not be.
    if (typeof payload === 'string' && options === undefined && this.#isFree) {
      this.push(textFrameOf(payload, binary ? 0x2 : 0x1, outgoing.length), callback as WriteCallback | undefined)
      return
    }
    // What is compressed waits in ws until a thread has done it.
    if (this.#extended) this.kept(typeof payload === 'string' ? payload.length : payload.byteLength)
    const frame = { compress: options?.compress ?? true, fin: options?.fin ?? true, binary }
    this.#pass(() => ofWs.send.call(this.#socket, payload, frame, callback))
  }

  writeFrame({ bytes }: SharedFrame): boolean {
    if (!this.#isFree) return false
    this.push(bytes)
    return true
  }

  /** Frames may go straight to the stream only while nothing of ws stands in front of it, or they would overtake each other. */
  get #isFree(): boolean {
    const { _sender: sender } = this.#socket
    if (sender === null || this.#extended) return false
    return sender._state === 0 && sender._firstFragment && sender._queue.length === 0
  }

  ping(payload: Buffer | string, callback?: (error: Error) => void): void {
    this.#pass(() => ofWs.ping.call(this.#socket, payload, false, callback))
  }

  pong(payload: Buffer | string, callback?: (error: Error) => void): void {
    this.#pass(() => ofWs.pong.call(this.#socket, payload, false, callback))
  }

  closeFrame(code?: number, reason?: string): void {
    this.#pass(() => ofWs.close.call(this.#socket, code, reason))
  }

  /** What was sent before goes as far as the kernel takes it, as with ws. */
  terminate(): void {
    this.flush()
    ofWs.terminate.call(this.#socket)
  }

  // --- in ---

  took(payload: Buffer, isBinary: boolean): void {
    this.#socket.emit('message', payload, isBinary)
  }

  shape(bytes: Buffer): unknown {
    return shapeBytes(bytes, this.binaryType)
  }

  block(why: Block): void {
    this.#blocks |= bitOf[why]
    ofWs.pause.call(this.#socket)
  }

  unblock(why: Block): void {
    if ((this.#blocks & bitOf[why]) === 0) return
    this.#blocks &= ~bitOf[why]
    if (this.#blocks !== 0) return
    ofWs.resume.call(this.#socket)
    if (this.midMessage) this.owner?.begun()
  }

  tookIn(): void {
    if (this.midMessage) this.owner?.begun()
  }

  // --- what the sender of ws is told ---

  protected override fellBehind(): void {
    this.owner?.begun()
  }

  protected override broke(error: unknown): void {
    this.owner?.failed(error)
  }

  closing(code: number | undefined): void {
    this.owner?.gate(code ?? noCode)
  }

  encode(payload: unknown, options: WsFrameOptions | undefined, callback: SendCallback | undefined): void {
    const { binary, compress, fin } = options ?? {}
    this.#socket.send(payload as string, { binary, compress, fin } as object, callback)
  }

  #pass(call: () => void): void {
    this.passing = true
    try {
      call()
    } finally {
      this.passing = false
    }
  }
}
