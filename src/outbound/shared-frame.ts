import { type Bytes, viewOf } from './bytes.ts'
import { isWrittenFirst, kept, lengthOfText } from './long-text.ts'
import type { Outgoing } from './outbound.ts'

/**
 * One payload for many sockets: encoded once, and framed once, by whichever socket writes it first. Server frames are not
 * masked (RFC 6455 section 5.1), so the very same bytes go to every member.
 */
export class SharedFrame {
  readonly payload: Outgoing['payload']
  readonly binary: boolean
  /** A name for its message, of which there are a few. */
  readonly label: string
  #bytes: Buffer | undefined
  #length: number | undefined

  constructor({ payload, binary, length }: Outgoing, label = 'other') {
    this.payload = payload
    this.binary = binary
    this.#length = length
    this.label = label
  }

  /** The bytes of the payload. */
  get length(): number {
    this.#length ??= typeof this.payload === 'string' ? lengthOfText(this.payload) : this.payload.byteLength
    return this.#length
  }

  /** The finished frame. */
  get bytes(): Buffer {
    this.#bytes ??= frameOf(this.payload, this.binary ? 0x2 : 0x1)
    return this.#bytes
  }
}

/** RFC 6455 section 5.2: FIN, no extension bits, no mask, the shortest length that fits. */
export function frameOf(payload: string | Bytes, opcode: number): Buffer {
  if (typeof payload !== 'string') return frameAround(viewOf(payload), payload.byteLength, opcode)
  if (isWrittenFirst(payload)) return frameAround(kept, kept.write(payload), opcode)
  return frameAround(payload, Buffer.byteLength(payload), opcode)
}

/**
 * The frame of one text for one socket. ASCII, as nearly all JSON is, stays a string, each unit of which is a byte: a stream takes
 * that as Latin-1, and no buffer is made.
 *
 * @param length in bytes, where that is known
 */
export function textFrameOf(text: string, opcode: number, length?: number): string | Buffer {
  if (length === text.length && length < 65_536) return headOf(length, opcode) + text
  const isWritten = isWrittenFirst(text)
  const bytes = isWritten ? kept.write(text) : Buffer.byteLength(text)
  if (bytes === text.length && bytes < 65_536) return headOf(bytes, opcode) + text
  return frameAround(isWritten ? kept : text, bytes, opcode)
}

function headOf(length: number, opcode: number): string {
  if (length < 126) return String.fromCharCode(0x80 | opcode, length)
  return String.fromCharCode(0x80 | opcode, 126, length >> 8, length & 0xff)
}

/** @param length in bytes, of the text or of the part of the bytes that is the payload */
function frameAround(payload: string | Buffer, length: number, opcode: number): Buffer {
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
  else payload.copy(frame, offset, 0, length)
  return frame
}
