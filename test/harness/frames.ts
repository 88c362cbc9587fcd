/** WebSocket frames as bytes (RFC 6455 section 5.2), right or wrong in whatever way is asked for. Nothing is checked. */
export interface FrameParts {
  readonly fin?: boolean
  /** 4 is RSV1, 2 is RSV2, 1 is RSV3. */
  readonly rsv?: number
  readonly opcode?: number
  readonly masked?: boolean
  readonly payload?: string | Uint8Array
  /** What the header says, where that is not the truth. Written in eight bytes. */
  readonly declaredLength?: bigint
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const mask = Buffer.from([0x1f, 0x2e, 0x3d, 0x4c])

export function frame({
  fin = true,
  rsv = 0,
  opcode = opcodes.text,
  masked = true,
  payload = '',
  declaredLength,
}: FrameParts): Buffer {
  const body = Buffer.from(payload)
  const length = lengthBytes(body.length, declaredLength)
  length[0] = (length[0] ?? 0) | (masked ? 0x80 : 0)
  const first = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode])
  return Buffer.concat([
    first,
    length,
    ...(masked ? [mask, body.map((byte, at) => byte ^ (mask[at % 4] ?? 0))] : [body]),
  ])
}

function lengthBytes(length: number, declared: bigint | undefined): Buffer {
  if (declared === undefined && length < 126) return Buffer.from([length])
  const bytes = Buffer.alloc(declared === undefined && length < 65_536 ? 3 : 9)
  if (bytes.length === 3) {
    bytes[0] = 126
    bytes.writeUInt16BE(length, 1)
  } else {
    bytes[0] = 127
    bytes.writeBigUInt64BE(declared ?? BigInt(length), 1)
  }
  return bytes
}

export function text(payload: string | Uint8Array): Buffer {
  return frame({ payload })
}

/** A frame in the masked payload of another one, byte for byte: a reader that begins in the middle would hear it. */
export function carrying(inner: Buffer): Buffer {
  return frame({ opcode: opcodes.binary, payload: inner.map((byte, at) => byte ^ (mask[at % 4] ?? 0)) })
}

export function json(value: unknown): Buffer {
  return text(JSON.stringify(value))
}

export function ping(payload: string | Uint8Array = ''): Buffer {
  return frame({ opcode: opcodes.ping, payload })
}

export function pong(payload: string | Uint8Array = ''): Buffer {
  return frame({ opcode: opcodes.pong, payload })
}

export function close(code?: number, reason: string | Uint8Array = ''): Buffer {
  if (code === undefined) return frame({ opcode: opcodes.close })
  const number = Buffer.alloc(2)
  number.writeUInt16BE(code)
  return frame({ opcode: opcodes.close, payload: Buffer.concat([number, Buffer.from(reason)]) })
}

/** One message in so many frames, the first with the opcode and the last with FIN. */
export function fragments(pieces: readonly (string | Uint8Array)[], opcode: number = opcodes.text): Buffer {
  return Buffer.concat(
    pieces.map((payload, at) =>
      frame({ payload, opcode: at === 0 ? opcode : opcodes.continuation, fin: at === pieces.length - 1 }),
    ),
  )
}

export interface ServerFrame {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  readonly masked: boolean
  readonly payload: Buffer
}

/** The frames of a server, one after the other, however TCP cut them. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  read(chunk: Uint8Array): ServerFrame[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    const frames: ServerFrame[] = []
    for (let found = take(this.#rest); found !== undefined; found = take(this.#rest)) {
      this.#rest = this.#rest.subarray(found.end)
      frames.push(found.frame)
    }
    return frames
  }
}

function take(bytes: Buffer): { frame: ServerFrame; end: number } | undefined {
  if (bytes.length < 2) return undefined
  const [first = 0, second = 0] = bytes
  const short = second & 0x7f
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start) return undefined
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length < start + length) return undefined
  return {
    frame: {
      fin: (first & 0x80) !== 0,
      rsv: (first >> 4) & 7,
      opcode: first & 0xf,
      masked: (second & 0x80) !== 0,
      payload: bytes.subarray(start, start + length),
    },
    end: start + length,
  }
}
