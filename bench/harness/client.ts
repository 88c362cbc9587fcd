/** A client that costs little: finished frames go out, and what comes back is counted by its bytes. */
import { connect, type Socket } from 'node:net'
import { cookie, origin } from './credentials.ts'
import type { PeerName } from './peers.ts'

export interface Client {
  readonly stream: Socket
  /** Bytes that came since the handshake, told to whoever listens. */
  onBytes: (count: number) => void
}

/** A text frame as a client has to send it (RFC 6455 section 5.3); a mask of zeros is a mask. */
export function frame(text: string): Buffer {
  const payload = Buffer.from(text)
  const { length } = payload
  const head =
    length < 126
      ? Buffer.from([0x81, 0x80 | length])
      : length < 65_536
        ? Buffer.from([0x81, 0xfe, length >> 8, length & 0xff])
        : Buffer.from([
            0x81,
            0xff,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 0xff,
            (length >> 8) & 0xff,
            length & 0xff,
          ])
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

/** How long an unmasked frame with so much payload is. */
export function frameLength(payload: number): number {
  return payload + (payload < 126 ? 2 : payload < 65_536 ? 4 : 10)
}

/** What each peer calls "say this text", and how long its answer is. */
export function saying(name: PeerName, text: string): { readonly frame: Buffer; readonly answer: number } {
  if (name === 'socket.io') {
    const answer = `42${JSON.stringify(['said', { text }])}`
    return { frame: frame(`42${JSON.stringify(['say', { text }])}`), answer: frameLength(answer.length) }
  }
  const said = JSON.stringify({ type: name === 'ws' || name === '@fastify/websocket' ? 'say' : 'said', text })
  return { frame: frame(JSON.stringify({ type: 'say', text })), answer: frameLength(said.length) }
}

/** Answers what asks whether the client is there: a ping of the protocol, or Engine.IO's, which is a message. */
export function answerPings(name: PeerName, { stream }: Client): void {
  const pong = name === 'socket.io' ? frame('3') : undefined
  stream.on('data', (bytes: Buffer) => {
    if (pong !== undefined) stream.write(pong)
    else if (bytes[0] === 0x89) {
      const length = bytes[1] ?? 0
      // The same payload, under a mask of zeros.
      stream.write(Buffer.concat([Buffer.from([0x8a, 0x80 | length, 0, 0, 0, 0]), bytes.subarray(2, 2 + length)]))
    }
  })
}

export function saidLength(name: PeerName, text: string): number {
  const said = name === 'socket.io' ? `42${JSON.stringify(['said', { text }])}` : JSON.stringify({ type: 'said', text })
  return frameLength(said.length)
}

/** The parts of a handshake that the guards look at; `undefined` leaves a header out. */
export interface Handshake {
  readonly path?: string
  readonly origin?: string | undefined
  readonly cookie?: string | undefined
}

function request(name: PeerName, { path = '/', ...said }: Handshake): string {
  const { origin: from, cookie: shown } = { origin, cookie, ...said }
  return [
    `GET ${name === 'socket.io' ? '/socket.io/?EIO=4&transport=websocket' : path} HTTP/1.1`,
    'Host: app.example',
    'Connection: Upgrade',
    'Upgrade: websocket',
    ...(from === undefined ? [] : [`Origin: ${from}`]),
    ...(shown === undefined ? [] : [`Cookie: ${shown}`]),
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n')
}

/** Resolves when the socket can be used. */
export function open(name: PeerName, port: number): Promise<Client> {
  const stream = connect({ port, host: '127.0.0.1', noDelay: true })
  const client: Client = { stream, onBytes: () => {} }
  stream.write(request(name, {}))
  const greeting = frame('40')
  let said = ''
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.on('data', onHandshake)

    function onHandshake(chunk: Buffer): void {
      const before = said
      said += chunk.toString('latin1')
      if (!said.includes('\r\n\r\n')) return
      if (!said.startsWith('HTTP/1.1 101')) {
        reject(new Error(said.slice(0, 200)))
        return
      }
      if (name === 'socket.io') {
        // Engine.IO opens with `0{...}`, Socket.IO connects with `40` both ways.
        if (before.includes('"sid"') ? !said.slice(before.length).includes('40{') : !/40\{/.test(said)) {
          if (!before.includes('0{"sid"') && said.includes('0{"sid"')) stream.write(greeting)
          return
        }
      }
      stream.off('data', onHandshake)
      stream.on('data', (bytes: Buffer) => client.onBytes(bytes.length))
      resolve(client)
    }
  })
}

/** Resolves with the status: of a refusal once the server has closed, of a 101 at once, which ends the socket. */
export function answerTo(name: PeerName, port: number, handshake: Handshake): Promise<number> {
  const stream = connect({ port, host: '127.0.0.1', noDelay: true })
  stream.write(request(name, handshake))
  let status = 0
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.once('data', (chunk) => {
      status = Number(chunk.toString('latin1', 9, 12))
      if (status === 101) stream.destroy()
    })
    stream.once('close', () => resolve(status))
  })
}
