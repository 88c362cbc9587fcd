import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/**
 * A client that writes exactly the bytes it is given, which no WebSocket library does. Strings are latin-1, one character
 * one byte, both ways: `'\u00e4'` is the byte 0xE4, and UTF-8 is written as its bytes.
 */
export interface RawConnection {
  readonly socket: Socket
  write(bytes: string | Uint8Array): void
  /** The next HTTP answer. Bytes after a 101 are in `head`; later ones are read from `socket`. */
  answer(timeout?: number): Promise<RawAnswer>
  /** Ends the connection with a TCP reset, as a client that vanishes. */
  reset(): void
  close(): void
}

export interface RawAnswer {
  /** 0 when the server closed the connection without a status line. */
  readonly status: number
  /** Lower-case names; repeated ones joined with ', '. No prototype. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Status line and header lines, as received. */
  readonly head: string
  /** The body; after a 101 the first bytes of the WebSocket stream. */
  readonly body: string
  /** Everything received. */
  readonly text: string
}

export interface RawTarget {
  readonly port: number
  readonly tls?: boolean
  readonly host?: string
  /** Milliseconds until a missing answer is an error. */
  readonly timeout?: number
}

/** Connects, writes, reads one answer, hangs up. */
export async function rawHandshake(target: RawTarget & { readonly bytes: string | Uint8Array }): Promise<RawAnswer> {
  const connection = await rawConnect(target)
  try {
    connection.write(target.bytes)
    return await connection.answer(target.timeout)
  } finally {
    connection.close()
  }
}

export function rawConnect({ port, tls = false, host = '127.0.0.1' }: RawTarget): Promise<RawConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<RawConnection>()
  // The server under test is on trial here, not its certificate.
  const socket = tls
    ? connectTls({ port, host, rejectUnauthorized: false, servername: 'localhost' })
    : connectPlain({ port, host })
  socket.setNoDelay(true)
  socket.once('error', reject)
  socket.once(tls ? 'secureConnect' : 'connect', () => {
    socket.off('error', reject)
    resolve(connectionOf(socket))
  })
  return promise
}

function connectionOf(socket: Socket): RawConnection {
  // Resets are part of what is tested: they show up as an answer with status 0, not as a crash of the test.
  socket.on('error', () => {})
  return {
    socket,
    write: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    answer: (timeout = 30_000) => readAnswer(socket, timeout),
    reset: () => void socket.resetAndDestroy(),
    close: () => void socket.destroy(),
  }
}

function readAnswer(socket: Socket, timeout: number): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>()
  let text = ''
  const timer = setTimeout(() => {
    release()
    reject(new Error(`no complete answer within ${timeout} ms, got: ${JSON.stringify(text.slice(0, 500))}`))
  }, timeout)
  const release = () => {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('close', onClose)
    socket.pause()
  }
  const onData = (chunk: Buffer) => {
    text += chunk.toString('latin1')
    const answer = parseAnswer(text, false)
    if (answer === undefined) return
    release()
    resolve(answer)
  }
  const onClose = () => {
    release()
    resolve(parseAnswer(text, true) ?? { status: 0, headers: emptyHeaders(), head: '', body: '', text })
  }
  socket.on('data', onData)
  socket.on('close', onClose)
  if (socket.destroyed) onClose()
  else socket.resume()
  return promise
}

/** `undefined` until the answer is complete; a closed connection completes whatever is there. */
function parseAnswer(text: string, closed: boolean): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = text.slice(0, end)
  const rest = text.slice(end + 4)
  const [statusLine = '', ...lines] = head.split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? 0)
  const headers = emptyHeaders()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const body = status === 101 ? rest : readBody(rest, headers, closed)
  return body === undefined ? undefined : { status, headers, head, body, text }
}

function readBody(rest: string, headers: RawAnswer['headers'], closed: boolean): string | undefined {
  const length = headers['content-length']
  if (length !== undefined) return rest.length >= Number(length) || closed ? rest.slice(0, Number(length)) : undefined
  if (headers['transfer-encoding'] !== 'chunked') return closed ? rest : undefined
  return readChunks(rest) ?? (closed ? rest : undefined)
}

function readChunks(rest: string): string | undefined {
  let body = ''
  for (let at = 0; ; ) {
    const line = rest.indexOf('\r\n', at)
    if (line === -1) return undefined
    const size = Number.parseInt(rest.slice(at, line), 16)
    if (size === 0) return body
    at = line + 2 + size + 2
    if (Number.isNaN(size) || rest.length < at) return undefined
    body += rest.slice(line + 2, line + 2 + size)
  }
}

function emptyHeaders(): Record<string, string | undefined> {
  return Object.create(null)
}

export type RawHeaders = Readonly<Record<string, string>> | readonly (readonly [string, string])[]

export interface HandshakeText {
  readonly method?: string
  readonly target?: string
  readonly httpVersion?: string
  /** Written first, in this order, duplicates included. */
  readonly headers: RawHeaders
  /** Names of the four standard headers to leave out. Those that `headers` already has are not written twice. */
  readonly omit?: readonly string[]
}

const standardHeaders: readonly (readonly [string, string])[] = [
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
]

/** The bytes of a handshake that is correct except for what is asked for. Nothing is checked or escaped. */
export function handshakeText({
  method = 'GET',
  target = '/ws',
  httpVersion = '1.1',
  headers,
  omit = [],
}: HandshakeText) {
  const given = isList(headers) ? headers : Object.entries(headers)
  const skip = new Set([...given.map(([name]) => name.toLowerCase()), ...omit.map((name) => name.toLowerCase())])
  const lines = [...given, ...standardHeaders.filter(([name]) => !skip.has(name.toLowerCase()))]
  return `${method} ${target} HTTP/${httpVersion}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

function isList(headers: RawHeaders): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers)
}
