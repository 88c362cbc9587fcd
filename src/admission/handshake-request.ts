import { parseHost } from '../http/authority.ts'
import { isSameName } from '../http/header-lines.ts'
import { listElements } from '../http/header-list.ts'
import { type Refusal, refuse } from '../http/refusal.ts'

/** The part of node:http's `IncomingMessage` that is read, once, by `readHandshake`. */
export interface RawHandshake {
  readonly method?: string | undefined
  readonly httpVersion?: string | undefined
  readonly url?: string | undefined
  readonly headers: object
  /** Missing on requests made by `injectWS`. */
  readonly rawHeaders?: readonly string[] | undefined
  /** Missing on requests made by `injectWS`. */
  readonly socket?: { readonly remoteAddress?: string | undefined } | null | undefined
}

export interface Peer {
  /** Is the other end of the connection a proxy that `trustProxy` trusts? See `peerIsTrusted`. */
  readonly trusted: boolean
  /** The client as Fastify resolves it (`request.ip`). */
  readonly address: string | undefined
}

/** What a handshake said, as plain values. A header that was not sent is `undefined`, an empty one is `''`. */
export interface HandshakeFacts {
  readonly method: string | undefined
  readonly httpVersion: string | undefined
  readonly target: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly upgrade: string | undefined
  readonly connection: string | undefined
  readonly version: string | undefined
  readonly key: string | undefined
  /** `Sec-WebSocket-Protocol` as offered, in order; `undefined` when the list is malformed or names one twice. */
  readonly protocols: readonly string[] | undefined
  readonly contentLength: string | undefined
  readonly transferEncoding: string | undefined
  readonly fetchMode: string | undefined
  readonly fetchSite: string | undefined
  /** Any `Sec-Fetch-*` header that only browsers send. */
  readonly fromBrowser: boolean
  /** Any header that a proxy adds, trusted or not. */
  readonly forwarded: boolean
  /** `X-Forwarded-Proto` and `X-Forwarded-Host`, joined when repeated; `undefined` unless the peer is trusted. */
  readonly forwardedProto: string | undefined
  readonly forwardedHost: string | undefined
  /** The first header that may occur once and occurred more often; `Origin` is told apart below. */
  readonly repeated: string | undefined
  /** Which of two origins counts is a question for the origin check, whose answer is 403, and not one of syntax. */
  readonly originRepeated: boolean
  /** TLS on this very connection. */
  readonly encrypted: boolean
  /** The other end of the connection: a proxy, if there is one. */
  readonly peerAddress: string | undefined
  /** The client, as resolved through trusted proxies. */
  readonly address: string | undefined
}

/** A place for facts that are still to be read. */
export class Facts implements HandshakeFacts {
  method: string | undefined = undefined
  httpVersion: string | undefined = undefined
  target: string | undefined = undefined
  host: string | undefined = undefined
  origin: string | undefined = undefined
  upgrade: string | undefined = undefined
  connection: string | undefined = undefined
  version: string | undefined = undefined
  key: string | undefined = undefined
  protocols: readonly string[] | undefined = none
  contentLength: string | undefined = undefined
  transferEncoding: string | undefined = undefined
  fetchMode: string | undefined = undefined
  fetchSite: string | undefined = undefined
  fromBrowser = false
  forwarded = false
  forwardedProto: string | undefined = undefined
  forwardedHost: string | undefined = undefined
  repeated: string | undefined = undefined
  originRepeated = false
  encrypted = false
  peerAddress: string | undefined = undefined
  address: string | undefined = undefined
}

/** How each header that is read may occur: once, as a list over several lines, or only noticed. All others are skipped. */
const occurrence = {
  Host: 'once',
  Origin: 'once',
  Upgrade: 'once',
  Connection: 'list',
  'Sec-WebSocket-Version': 'once',
  'Sec-WebSocket-Key': 'once',
  'Sec-WebSocket-Protocol': 'list',
  'Content-Length': 'once',
  'Transfer-Encoding': 'once',
  'Sec-Fetch-Mode': 'once',
  'Sec-Fetch-Site': 'once',
  Forwarded: 'noticed',
  'X-Forwarded-For': 'noticed',
  'X-Forwarded-Proto': 'list',
  'X-Forwarded-Host': 'list',
} as const

type Read = keyof typeof occurrence

interface ReadHeader {
  readonly name: string
  readonly may: 'once' | 'list' | 'noticed'
  /** Its place among the values. */
  readonly at: number
}

const headers: readonly ReadHeader[] = Object.entries(occurrence).map(([name, may], at) => {
  return { name: name.toLowerCase(), may, at }
})
/** By both common spellings; a name that is spelt otherwise is compared with those that are as long. */
const bySpelling = new Map(
  Object.keys(occurrence).flatMap((name, at) =>
    [name, name.toLowerCase()].map((spelt) => [spelt, headers[at] as ReadHeader] as const),
  ),
)
const byLength = Map.groupBy(headers, ({ name }) => name.length)
const places = Object.fromEntries(Object.keys(occurrence).map((name, at) => [name, at])) as Record<Read, number>
/** The values of the handshake that is read right now, and of none outside that turn: kept, as each would need it anew. */
const said = headers.map((): string | undefined => undefined)

function readHeader(name: string): ReadHeader | undefined {
  const spelt = bySpelling.get(name)
  if (spelt !== undefined) return spelt
  const asLong = byLength.get(name.length)
  if (asLong !== undefined) for (const header of asLong) if (isSameName(name, header.name)) return header
  return undefined
}

const fetchMetadata = 'sec-fetch-'

/** Any header that only a browser sends. Node's own `WebSocket` says its mode as well; no page can take the others out. */
function isOfBrowser(name: string, value: string | undefined): boolean {
  // Those of the WebSocket protocol begin with `Sec-` as well.
  if (name.length <= fetchMetadata.length || (name.charCodeAt(4) | 0x20) !== 0x66) return false
  const lower = name.toLowerCase()
  return lower.startsWith(fetchMetadata) && (lower !== 'sec-fetch-mode' || value !== 'websocket')
}

/**
 * Reads the facts from `rawHeaders`: `headers` joins two `Origin` lines, keeps the first of two `Host` lines, and inherits
 * from a polluted Object.prototype. Only `injectWS` requests, which no client can make, fall back to it, own members only.
 *
 * @param facts written over: for whoever needs those of one handshake no longer than until the next
 */
export function readHandshake(raw: RawHandshake, peer: Peer, facts = new Facts()): HandshakeFacts {
  said.fill(undefined)
  let repeated: string | undefined
  let originRepeated = false
  let fromBrowser = false
  const lines = raw.rawHeaders ?? linesOf(raw.headers)
  for (let index = 0; index + 1 < lines.length; index += 2) {
    const name = lines[index] ?? ''
    const value = lines[index + 1] ?? ''
    fromBrowser ||= isOfBrowser(name, value)
    const header = readHeader(name)
    if (header === undefined) continue
    const before = said[header.at]
    if (before === undefined) said[header.at] = value
    else if (header.may === 'list') said[header.at] = `${before}, ${value}`
    else if (header.at === places.Origin) originRepeated = true
    else if (header.may === 'once') repeated ??= header.name
  }
  const forwardedProto = said[places['X-Forwarded-Proto']]
  const forwardedHost = said[places['X-Forwarded-Host']]
  facts.method = raw.method
  facts.httpVersion = raw.httpVersion
  facts.target = raw.url
  facts.host = said[places.Host]
  facts.origin = said[places.Origin]
  facts.upgrade = said[places.Upgrade]
  facts.connection = said[places.Connection]
  facts.version = said[places['Sec-WebSocket-Version']]
  facts.key = said[places['Sec-WebSocket-Key']]
  facts.protocols = readProtocols(said[places['Sec-WebSocket-Protocol']])
  facts.contentLength = said[places['Content-Length']]
  facts.transferEncoding = said[places['Transfer-Encoding']]
  facts.fetchMode = said[places['Sec-Fetch-Mode']]
  facts.fetchSite = said[places['Sec-Fetch-Site']]
  facts.fromBrowser = fromBrowser
  facts.forwarded =
    forwardedProto !== undefined ||
    forwardedHost !== undefined ||
    said[places.Forwarded] !== undefined ||
    said[places['X-Forwarded-For']] !== undefined
  facts.forwardedProto = peer.trusted ? forwardedProto : undefined
  facts.forwardedHost = peer.trusted ? forwardedHost : undefined
  facts.repeated = repeated
  facts.originRepeated = originRepeated
  facts.encrypted = isTls(raw.socket)
  facts.peerAddress = raw.socket?.remoteAddress
  facts.address = peer.address
  return facts
}

/** RFC 6455 section 4.2.1, and only version 13: ws would also take 8, whose origin is in another header. */
export function checkHandshakeShape(facts: HandshakeFacts): Refusal | undefined {
  if (facts.method !== 'GET') return bad('the method is not GET')
  if (facts.httpVersion !== '1.1') return bad('not HTTP/1.1')
  // Absolute-form names a second authority beside Host, which Node does not compare (RFC 9112 section 3.2).
  if (!facts.target?.startsWith('/')) return bad('the target is not in origin-form')
  if (facts.repeated !== undefined) return bad(`more than one ${facts.repeated} header`)
  if (facts.host === undefined) return bad('no Host header')
  if (parseHost(facts.host) === undefined) return bad(`malformed Host ${facts.host}`)
  if (facts.upgrade !== 'websocket' && facts.upgrade?.toLowerCase() !== 'websocket')
    return bad('Upgrade is not websocket')
  if (!hasToken(facts.connection, 'upgrade')) return bad('Connection does not name Upgrade')
  // Exactly these two characters: ws compares by number and so takes 013, 0xd and 1.3e1.
  if (facts.version !== '13') return otherVersion(facts.version)
  if (facts.key === undefined || !/^[A-Za-z0-9+/]{22}==$/.test(facts.key)) return bad('malformed Sec-WebSocket-Key')
  if (facts.protocols === undefined) return bad('malformed Sec-WebSocket-Protocol')
  // Node hands a body over as the first bytes of the WebSocket stream: they would be read as frames (ASVS 4.2.1).
  if (facts.transferEncoding !== undefined) return bad('a handshake with Transfer-Encoding')
  if (facts.contentLength !== undefined && facts.contentLength !== '0') return bad('a handshake with a body')
  return undefined
}

function bad(reason: string): Refusal {
  return refuse('SWS_BAD_HANDSHAKE', reason)
}

/** RFC 6455 section 4.4: the answer to an unknown version says which ones are known. */
function otherVersion(version: string | undefined): Refusal {
  const headers = { 'sec-websocket-version': '13' }
  if (version === undefined) return refuse('SWS_BAD_HANDSHAKE', 'no Sec-WebSocket-Version header', { headers })
  return refuse('SWS_BAD_HANDSHAKE', `Sec-WebSocket-Version ${version}`, {
    status: 426,
    headers: { ...headers, upgrade: 'websocket' },
  })
}

function linesOf(headers: object): string[] {
  return Object.entries(headers).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).flatMap((each: unknown) =>
      // injectWS writes the version as a number.
      typeof each === 'string' || typeof each === 'number' ? [name, String(each)] : [],
    ),
  )
}

/** Own property, as TLSSocket sets it: a polluted Object.prototype must not turn every connection into an encrypted one. */
function isTls(socket: object | null | undefined): boolean {
  return socket != null && Object.hasOwn(socket, 'encrypted') && Reflect.get(socket, 'encrypted') === true
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const none: readonly string[] = []

/** Linear in the length of the header: one split and one single-class expression per element (CVE-2021-32640 was not). */
function readProtocols(header: string | undefined): readonly string[] | undefined {
  if (header === undefined) return none
  const names = listElements(header)
  if (new Set(names).size !== names.length) return undefined
  return names.every((name) => token.test(name)) ? names : undefined
}

function hasToken(header: string | undefined, wanted: string): boolean {
  if (header === undefined) return false
  if (header.length === wanted.length) return isSameName(header, wanted)
  return listElements(header).some((element) => element.toLowerCase() === wanted)
}
