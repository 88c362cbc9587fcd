const ampersand = 0x26
const semicolon = 0x3b
const apostrophe = 0x27
const less = 0x3c
const greater = 0x3e
const backslash = 0x5c
const quote = 0x22
const letterU = 0x75
const zero = 0x30

// One look-up decides about a byte: 0 is copied, 1 is written as an entity, 2 begins an escape.
const kinds = new Uint8Array(256)
for (const byte of [ampersand, apostrophe, less, greater]) kinds[byte] = 1
kinds[backslash] = 2

/** The longest entity for one byte, `&amp;` or `&#39;`, has 5. */
const growth = 5
/** Kept between calls for what most messages need; nothing else runs while it is in use. */
const kept = Buffer.allocUnsafeSlow(192 * 1024)

/** `encodeSerialized` byte by byte: for text with so much to encode that jumping from one to the next is slower. */
export function fillEncoded(json: string): Buffer {
  const length = Buffer.byteLength(json)
  const needed = length * (growth + 1)
  const bytes = needed <= kept.length ? kept : Buffer.allocUnsafeSlow(needed)
  const end = bytes.length
  // Read from the far end and written from the start of the same bytes: writing cannot overtake reading.
  bytes.write(json, end - length)
  let to = 0
  for (let from = end - length; from < end; from += 1) {
    const byte = bytes[from] ?? 0
    const kind = kinds[byte]
    if (kind === 0) {
      bytes[to++] = byte
    } else if (kind === 1) {
      to = writeEntity(bytes, to, byte)
    } else {
      // The second half of an escape is taken together with the first, so an escaped backslash escapes nothing else.
      const next = bytes[from + 1] ?? 0
      const spelled = next === letterU ? spelledOut(bytes, from) : next === quote ? quote : 0
      if (spelled !== 0) {
        to = writeEntity(bytes, to, spelled)
        from += next === letterU ? 5 : 1
      } else {
        bytes[to++] = byte
        bytes[to++] = next
        from += 1
      }
    }
  }
  return Buffer.from(bytes.subarray(0, to))
}

/**
 * `htmlEntities`, as bytes. Written out, because a loop over each entity takes a third of the time of a text that is full of
 * them.
 */
function writeEntity(bytes: Buffer, to: number, byte: number): number {
  bytes[to] = ampersand
  switch (byte) {
    case ampersand:
      bytes[to + 1] = 0x61 // a
      bytes[to + 2] = 0x6d // m
      bytes[to + 3] = 0x70 // p
      bytes[to + 4] = semicolon
      return to + 5
    case less:
      bytes[to + 1] = 0x6c // l
      bytes[to + 2] = 0x74 // t
      bytes[to + 3] = semicolon
      return to + 4
    case greater:
      bytes[to + 1] = 0x67 // g
      bytes[to + 2] = 0x74 // t
      bytes[to + 3] = semicolon
      return to + 4
    case quote:
      bytes[to + 1] = 0x71 // q
      bytes[to + 2] = 0x75 // u
      bytes[to + 3] = 0x6f // o
      bytes[to + 4] = 0x74 // t
      bytes[to + 5] = semicolon
      return to + 6
    default:
      bytes[to + 1] = 0x23 // #
      bytes[to + 2] = 0x33 // 3
      bytes[to + 3] = 0x39 // 9
      bytes[to + 4] = semicolon
      return to + 5
  }
}

/** The character that `\u00HH` at `from` stands for if it has an entity, or 0. */
function spelledOut(bytes: Buffer, from: number): number {
  if (bytes[from + 2] !== zero || bytes[from + 3] !== zero) return 0
  const code = Number.parseInt(bytes.toString('latin1', from + 4, from + 6), 16)
  return kinds[code] === 1 || code === quote ? code : 0
}
