import type { Socket } from 'node:net'
import { FrameReader, opcodes, type ServerFrame } from './frames.ts'
import { handshakeText, type RawAnswer, type RawHeaders, rawConnect } from './raw-client.ts'
import { until } from './until.ts'

export interface PeerOptions {
  readonly port: number
  readonly path?: string
  readonly headers?: RawHeaders
  /** Written in the same TCP segment as the handshake. */
  readonly with?: Uint8Array
  /** A peer that never reads a byte after the 101. */
  readonly deaf?: boolean
}

/** The other side of a WebSocket, as a TCP connection: what it sends is bytes, what it got is a list of frames. */
export interface RawPeer {
  readonly socket: Socket
  readonly answer: RawAnswer
  readonly frames: readonly ServerFrame[]
  /** Payloads of text frames. */
  readonly texts: readonly string[]
  /** Text frames, parsed. */
  readonly messages: readonly unknown[]
  /** The close frame; 1005 is one without a code. `undefined` while there is none. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined
  /** TCP has ended or was reset. */
  readonly gone: boolean
  write(...bytes: readonly Uint8Array[]): void
  /** Waits for the close frame, answers it, and waits for the end of the TCP connection. */
  closeCode(): Promise<number>
  whenGone(): Promise<void>
  reset(): void
}

/** Opens a WebSocket on a test server. @throws when the answer is no 101 */
export async function openPeer({ port, path = '/ws', headers, ...rest }: PeerOptions): Promise<RawPeer> {
  const connection = await rawConnect({ port })
  const { socket } = connection
  const host = `127.0.0.1:${port}`
  const bytes = handshakeText({ target: path, headers: headers ?? { Host: host, Origin: `http://${host}` } })
  connection.write(Buffer.concat([Buffer.from(bytes, 'latin1'), rest.with ?? Buffer.alloc(0)]))
  const answer = await connection.answer()
  if (answer.status !== 101) {
    connection.close()
    throw new Error(`no 101 but ${answer.status} ${answer.body}`)
  }

  const reader = new FrameReader()
  const frames: ServerFrame[] = []
  let gone = socket.destroyed
  const isText = ({ opcode }: ServerFrame) => opcode === opcodes.text
  socket.once('close', () => {
    gone = true
  })
  socket.once('end', () => socket.end())
  const take = (chunk: Buffer) => frames.push(...reader.read(chunk))
  take(Buffer.from(answer.body, 'latin1'))
  if (rest.deaf !== true) {
    socket.on('data', take)
    socket.resume()
  }

  const peer: RawPeer = {
    socket,
    answer,
    frames,
    get texts() {
      return frames.filter(isText).map(({ payload }) => payload.toString())
    },
    get messages() {
      return frames.filter(isText).map(({ payload }) => JSON.parse(payload.toString()) as unknown)
    },
    get closed() {
      const payload = frames.find(({ opcode }) => opcode === opcodes.close)?.payload
      if (payload === undefined) return undefined
      if (payload.length === 0) return { code: 1005, reason: '' }
      return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() }
    },
    get gone() {
      return gone
    },
    write: (...parts) => void socket.write(Buffer.concat(parts)),
    async closeCode() {
      await until(() => peer.closed !== undefined || gone, 'the server had closed')
      if (peer.closed === undefined) return 1006
      socket.end()
      await peer.whenGone()
      return peer.closed.code
    },
    whenGone: () => until(() => gone, 'TCP had ended'),
    reset: () => void socket.resetAndDestroy(),
  }
  return peer
}
