import type { EncodeMode, Outgoing } from '../outbound/outbound.ts'
import type { SharedFrame } from '../outbound/shared-frame.ts'
import type { BinaryType } from './binary-type.ts'
import type { Progress } from './life.ts'

/** Called when the frame was handed to the kernel, or with the error that kept it from there. */
export type SendCallback = (error?: Error) => void

/** Of a frame, what the encoder has no say in. */
export interface FrameOptions {
  /** Compress this message, where compression is on (`websocket.options.perMessageDeflate`). Default `true` there. */
  readonly compress?: boolean | undefined
  /** Whether this is the last fragment of a message. Default `true`. */
  readonly fin?: boolean | undefined
}

/** Options of one `send`. */
export interface SendOptions extends FrameOptions {
  /**
   * Whether the frame is binary. Default: true for bytes and a Blob, else false. Bytes with `false` are UTF-8 text, and
   * encoded.
   */
  readonly binary?: boolean | undefined
  /** Taken and ignored, as ws does on a server: RFC 6455 section 5.1 forbids it. Default `false`. */
  readonly mask?: boolean | undefined
  /** For this one payload. Default: what the route says. */
  readonly encode?: EncodeMode | undefined
  /**
   * Names what this message tells the newest of. While the client is behind, an unsent message with the same name is
   * left out, and this one is sent in its stead, last. 1 to 256 characters. Default: each message is sent.
   */
  readonly latest?: string | undefined
}

/**
 * A reason not to read: the handler is at work, what was read waits for a listener, the application has paused. None lifts
 * another.
 */
export type Block = 'opening' | 'queue' | 'application'

/** The connection, as its port tells it what nobody asks for. */
export interface PortOwner {
  /** Half a message waits for its other half, or bytes that the kernel has not taken, since just now or longer. */
  begun(): void
  /** Shuts the way in and the way out. */
  gate(code: number): void
  /** The stream threw where it was written to, and is destroyed. */
  failed(error: unknown): void
}

/**
 * A WebSocket as its connection needs it: all that `connection/` knows of one. `ws/` has the real one; a connection runs on any
 * other, without a server.
 */
export interface Port extends Progress {
  /** Told of what begins, and of a close frame that did not come through it: ws's own `close`, called on a socket of ours. */
  owner: PortOwner | undefined
  readonly open: boolean
  /** The client is behind: the kernel has not taken all that it was given. */
  readonly behind: boolean
  /** True while a call comes from here, and not from whoever holds the socket. */
  readonly passing: boolean

  /** Calls back once, when the kernel has taken all that it has been given so far; never, when it will not. */
  whenTaken(callback: () => void): void
  send(outgoing: Outgoing, options: FrameOptions | undefined, callback: SendCallback | undefined): void
  /** Writes finished bytes; `false` when something (compression) is in front of them and `send` must be used. */
  writeFrame(frame: SharedFrame): boolean
  ping(payload: Buffer | string, callback?: (error: Error) => void): void
  pong(payload: Buffer | string, callback?: (error: Error) => void): void
  /** Starts the closing handshake; ends by itself, answered or not, after ws's `closeTimeout`. */
  closeFrame(code?: number, reason?: string): void
  terminate(): void

  block(why: Block): void
  unblock(why: Block): void
  /** The form in which a raw route's listener gets a binary frame. */
  binaryType: BinaryType
  shape(bytes: Buffer): unknown
}
