import { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:https'
import { Socket } from 'node:net'
import { takeWholeFrames } from '../../../src/ws/whole-frames.ts'
import { sameTextEverywhere, tellByUrl } from './exceptions.ts'
import { isOpen, mark } from './secrets.ts'
import { credentials, file, lookAtBytes, words } from './sinks.ts'

/** Headers that say what everybody may know. */
const plain =
  /^(?:host|connection|upgrade|origin|sec-fetch-.*|sec-websocket-(?:key|version|extensions)|accept.*|user-agent|content-.*|pragma|cache-control|x-forwarded-.*|forwarded|traceparent|referer|te|transfer-encoding)$/i

const leavesUrl = tellByUrl.includes(file)
const knowsNoSecrets = sameTextEverywhere.includes(file)

// A name that libraries offer, and advice repeats.
isOpen('graphql-transport-ws')

/** Marks handshakes, notes what they and the messages behind them carry, and looks at each byte that a server answers. */
export function watchTraffic(require: NodeJS.Require): void {
  for (const { prototype } of [Server, TlsServer]) {
    const emit = prototype.emit
    prototype.emit = function watched(this: Server, event: string | symbol, ...given: unknown[]): boolean {
      const [first] = given
      if (event === 'upgrade' && first instanceof IncomingMessage) markHandshake(first)
      if (event === 'upgrade' && given[1] instanceof Socket) {
        watchWrites(given[1])
        watchReads(given[1])
      }
      if (event === 'request' && given[1] instanceof ServerResponse && given[1].socket) watchWrites(given[1].socket)
      return Reflect.apply(emit, this, [event, ...given])
    }
  }
  const { Receiver }: { Receiver: { prototype: { emit(event: string, ...given: unknown[]): boolean } } } = require('ws')
  const emit = Receiver.prototype.emit
  Receiver.prototype.emit = function noting(this: object, event: string, ...given: unknown[]): boolean {
    if (event === 'message' && Reflect.get(this, '_isServer') === true && given[1] === false) noteMessage(given[0])
    return Reflect.apply(emit, this, [event, ...given])
  }
}

function markHandshake(request: IncomingMessage): void {
  const { rawHeaders, headers } = request
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]]
    if (/^(?:host|origin|x-forwarded-host)$/i.test(name)) isOpen(value)
    if (plain.test(name)) continue
    if (!knowsNoSecrets)
      for (const part of value.split(/[;,]\s*|\s+/))
        credentials.add(part.slice(part.indexOf('=') + 1), `header ${name.toLowerCase()}`)
    if (name.toLowerCase() === 'cookie') rawHeaders[at + 1] = `${value}; canary=${mark}-cookie`
  }
  if (typeof headers.cookie === 'string') headers.cookie = `${headers.cookie}; canary=${mark}-cookie`
  rawHeaders.push('X-Canary', `${mark}-header`)
  headers['x-canary'] = `${mark}-header`
  const url = request.url ?? ''
  const at = url.indexOf('?')
  if (at !== -1 && !knowsNoSecrets) credentials.add(url.slice(at + 1), 'query')
  if (url.startsWith('/') && !leavesUrl) request.url = `${url}${at === -1 ? '?' : '&'}canary=${mark}-query`
}

function watchWrites(socket: Socket): void {
  if (Object.hasOwn(socket, 'write')) return
  const { write, end } = socket
  const seeing = (call: typeof write | typeof end) =>
    function see(this: Socket, ...given: unknown[]): unknown {
      const [chunk] = given
      if (typeof chunk === 'string' || chunk instanceof Uint8Array) lookAtBytes(chunk)
      return Reflect.apply(call, this, given)
    }
  Object.assign(socket, { write: seeing(write), end: seeing(end) })
}

/** Whole frames do not reach the receiver of ws. A copy is looked at: what was read is unmasked where it stands. */
function watchReads(socket: Socket): void {
  const { emit } = socket
  socket.emit = function noting(this: Socket, event: string | symbol, ...given: unknown[]): boolean {
    const [chunk] = given
    if (event === 'data' && Buffer.isBuffer(chunk))
      takeWholeFrames(Buffer.from(chunk), {
        messageBytes: 4_096,
        took: (payload, isBinary) => void (isBinary || noteMessage(payload)),
      })
    return Reflect.apply(emit, this, [event, ...given])
  }
}

let messages = 0

function noteMessage(payload: unknown): void {
  if (!Buffer.isBuffer(payload) || payload.length > 4_096 || knowsNoSecrets) return
  if (messages++ > 5_000) {
    words.beyond++
    return
  }
  try {
    note(JSON.parse(payload.toString()), 0)
  } catch {
    // No JSON: its words, without the names of members and types that a garbled one has around them.
    for (const [word] of payload.toString().matchAll(/[^"{}[\]:,\\]+/g)) words.add(word, 'a message')
  }
}

function note(value: unknown, depth: number): void {
  if (typeof value === 'string') words.add(value, 'a message')
  else if (typeof value === 'object' && value !== null && depth < 5)
    for (const [key, each] of Object.entries(value)) if (key !== 'type') note(each, depth + 1)
}
