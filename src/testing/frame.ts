/** A frame as a client writes it (RFC 6455 section 5.2); `declared` is the length that its header claims. */
export function maskedFrame(
  payload: string | Uint8Array,
  { fin = true, opcode = 1, declared }: { fin?: boolean; opcode?: number; declared?: number } = {},
): Buffer {
  const body = Buffer.from(payload)
  const length = declared ?? body.length
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10)
  head[0] = (fin ? 0x80 : 0) | opcode
  if (head.length === 2) head[1] = 0x80 | length
  else if (head.length === 4) {
    head[1] = 0x80 | 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 0x80 | 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  // A mask of nothing is a mask: the bytes stay as they are.
  return Buffer.concat([head, Buffer.alloc(4), body])
}
