import type { Outgoing } from '../outbound/outbound.ts'
import type { SharedFrame } from '../outbound/shared-frame.ts'

/** Called when the frame was handed to the kernel, or with the error that kept it from there. */
export type SendCallback = (error?: Error) => void

/** Of a frame, what the encoder has no say in. */
export interface FrameOptions {
  /** Compress this message, where compression is on (`websocket.options.perMessageDeflate`). Default `true` there. */
  readonly compress?: boolean | undefined
  /** Whether this is the last fragment of a message. Default `true`. */
  readonly fin?: boolean | undefined
}

/** What sending needs of a WebSocket. */
export interface Wire {
  readonly open: boolean
  /** Bytes handed over and not yet in the kernel. */
  readonly waiting: number
  write(outgoing: Outgoing, options: FrameOptions | undefined, callback: SendCallback | undefined): void
  /** Writes finished bytes; `false` when something (compression) is in front of them and `write` must be used. */
  writeFrame(frame: SharedFrame): boolean
}
