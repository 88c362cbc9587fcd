import { isUtf8 } from 'node:buffer'

/** The receiver of the messages. */
export interface Taker {
  /** The most bytes of a message. */
  readonly messageBytes: number
  took(payload: Buffer, isBinary: boolean): void
}

/** RFC 6455 section 5.2: the last fragment, no extension, text or bytes. */
const text = 0x81
const binary = 0x82

/**
 * Takes from the beginning of a piece the frames that are each a message: in one fragment, all there, of an everyday length, and as
 * the protocol wants them. Any other frame is left to the receiver of ws, with all behind it: every error is one of ws. For a frame
 * ws makes five buffers and an event; this makes one buffer.
 *
 * @param piece is unmasked in place, as by ws
 * @returns where that begins which was not taken
 */
export function takeWholeFrames(piece: Buffer, taker: Taker): number {
  let at = 0
  for (;;) {
    const first = piece[at]
    const second = piece[at + 1] ?? 0
    if ((first !== text && first !== binary) || second < 0x80) return at
    let length = second & 0x7f
    let begin = at + 6
    if (length > 125) {
      if (length === 127 || piece.length < at + 4) return at
      length = piece.readUInt16BE(at + 2)
      begin = at + 8
    }
    const end = begin + length
    if (end > piece.length || length > taker.messageBytes) return at
    unmask(piece, begin, end)
    const payload = piece.subarray(begin, end)
    if (first === text && !isUtf8(payload)) {
      // Masked again, as it came.
      unmask(piece, begin, end)
      return at
    }
    at = end
    taker.took(payload, first === binary)
  }
}

/** RFC 6455 section 5.3: four bytes in front of the payload, over and over. */
function unmask(piece: Buffer, begin: number, end: number): void {
  const one = piece[begin - 4] ?? 0
  const two = piece[begin - 3] ?? 0
  const three = piece[begin - 2] ?? 0
  const four = piece[begin - 1] ?? 0
  if ((one | two | three | four) === 0) return
  let at = begin
  for (; at + 3 < end; at += 4) {
    piece[at] = (piece[at] ?? 0) ^ one
    piece[at + 1] = (piece[at + 1] ?? 0) ^ two
    piece[at + 2] = (piece[at + 2] ?? 0) ^ three
    piece[at + 3] = (piece[at + 3] ?? 0) ^ four
  }
  if (at < end) piece[at] = (piece[at] ?? 0) ^ one
  if (at + 1 < end) piece[at + 1] = (piece[at + 1] ?? 0) ^ two
  if (at + 2 < end) piece[at + 2] = (piece[at + 2] ?? 0) ^ three
}
