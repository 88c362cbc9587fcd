import type { FastifyRequest } from 'fastify'

/** The header of a plain request that asks what a handshake would be answered with, and its one value. */
export const whyHeader = 'secure-ws'
const whyValue = 'why'

/** The sub-protocols that a page would offer: `fetch` lets no page write a header that begins with `Sec-`. */
export const whyProtocolHeader = 'secure-ws-protocol'

/**
 * The page's origin in a request without `Origin`: browsers leave that out of a `GET` to the page's own server. It is never read
 * beside `Origin`, and a page of another origin cannot have the browser leave it out: its request has a header of ours, so it
 * is a CORS request (Fetch, section "HTTP-network-or-cache fetch").
 */
export const whyOriginHeader = 'secure-ws-origin'

type Raw = FastifyRequest['raw']

export function asksWhy({ method, headers }: Raw): boolean {
  return method === 'GET' && Object.hasOwn(headers, whyHeader) && headers[whyHeader] === whyValue
}

/** A browser asks first whether a page of another origin may send such a header. */
export function isPreflightOfWhy({ method, headers }: Raw): boolean {
  if (method !== 'OPTIONS' || !Object.hasOwn(headers, 'access-control-request-headers')) return false
  if (headers['access-control-request-method'] !== 'GET') return false
  return (headers['access-control-request-headers'] ?? '').split(',').some((name) => name.trim() === whyHeader)
}

/** The handshake's own headers, which no plain request has. Any key will do: nobody answers it. */
const handshakeHeaders: readonly (readonly [name: string, value: string])[] = [
  ['upgrade', 'websocket'],
  ['connection', 'Upgrade'],
  ['sec-websocket-version', '13'],
  ['sec-websocket-key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
]

const rewritten = new Set([
  ...handshakeHeaders.map(([name]) => name),
  'sec-websocket-protocol',
  'keep-alive',
  whyHeader,
  whyProtocolHeader,
  whyOriginHeader,
])

/**
 * The header lines of the handshake that a request asks about.
 *
 * @param own the origin that the client connected to, by the lines so far
 */
export function handshakeLines(
  before: readonly string[],
  own: (lines: readonly string[]) => string | undefined,
): string[] {
  const lines: string[] = []
  const only = new Map<string, string | undefined>()
  for (let at = 0; at + 1 < before.length; at += 2) {
    const name = before[at] ?? ''
    const value = before[at + 1] ?? ''
    const key = name.toLowerCase()
    // Two of one kind are none.
    only.set(key, only.has(key) ? undefined : value)
    if (rewritten.has(key)) continue
    if (key === ':authority') lines.push('host', value)
    else if (!key.startsWith(':')) lines.push(name, key === 'sec-fetch-mode' ? modeOfHandshake(value) : value)
  }
  for (const [name, value] of handshakeHeaders) lines.push(name, value)
  const protocols = only.get(whyProtocolHeader)
  if (protocols !== undefined) lines.push('sec-websocket-protocol', protocols)
  if (!only.has('origin')) {
    const origin = only.get(whyOriginHeader) ?? (only.get('sec-fetch-site') === 'same-origin' ? own(lines) : undefined)
    if (origin !== undefined) lines.push('origin', origin)
  }
  return lines
}

/**
 * Makes the request the handshake it asks about, for everybody who reads it from here on: authenticators find the credential
 * where they always do, and the steps of the admission find a handshake.
 */
export function becomeHandshake(raw: Raw, own: (lines: readonly string[]) => string | undefined): void {
  const lines = handshakeLines(raw.rawHeaders, own)
  const now = { ...raw.headers }
  for (const name of rewritten) delete now[name]
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const key = lines[at]?.toLowerCase() ?? ''
    if (key === 'sec-fetch-mode' || !Object.hasOwn(now, key)) now[key] = lines[at + 1]
  }
  // Defined anew: of HTTP/2's request they cannot be set.
  Object.defineProperty(raw, 'rawHeaders', { value: lines, configurable: true, writable: true, enumerable: true })
  Object.defineProperty(raw, 'headers', { value: now, configurable: true, writable: true, enumerable: true })
}

/** `fetch` says `cors`, and `same-origin` where it was told so; a WebSocket would have said `websocket`. */
function modeOfHandshake(mode: string): string {
  return mode === 'cors' || mode === 'same-origin' ? 'websocket' : mode
}
