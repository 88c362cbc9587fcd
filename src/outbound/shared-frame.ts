import { type Bytes, viewOf } from './bytes.ts'
import type { Outgoing } from './outbound.ts'

/**
 * One payload for many sockets: encoded once, and framed once, by whichever socket writes it first. Server frames are not
 * masked (RFC 6455 section 5.1), so the very same bytes go to every member.
 */
export class SharedFrame {
  readonly payload: Outgoing['payload']
  readonly binary: boolean
  #bytes: Buffer | undefined

  constructor({ payload, binary }: Outgoing) {
    this.payload = payload
    this.binary = binary
  }

  /** The finished frame. */
  get bytes(): Buffer {
    this.#bytes ??= frameOf(this.payload, this.binary ? 0x2 : 0x1)
    return this.#bytes
  }
}

/** RFC 6455 section 5.2: FIN, no extension bits, no mask, the shortest length that fits. Text is written into it at once. */
export function frameOf(payload: string | Bytes, opcode: number): Buffer {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  const offset = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(offset + length)
  frame[0] = 0x80 | opcode
  if (offset === 2) frame[1] = length
  else if (offset === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  if (typeof payload === 'string') frame.write(payload, offset)
  else frame.set(viewOf(payload), offset)
  return frame
}
