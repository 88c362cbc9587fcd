import type { FastifyRequest } from 'fastify'
import { headerLines } from '../http/header-lines.ts'

const refusals = new WeakSet<object>()

/**
 * Thrown by an authenticator that found a credential of its kind and says no. The message is our own words, never a piece
 * of the credential: it goes into the audit event as it is.
 */
export class RefusedCredential extends Error {
  override readonly name = 'RefusedCredential'

  constructor(message: string) {
    super(message)
    refusals.add(this)
  }
}

/** Not by `instanceof`: what an application throws may throw again when somebody looks at it (MS-15). */
export function isRefusedCredential(error: unknown): error is RefusedCredential {
  return typeof error === 'object' && error !== null && refusals.has(error)
}

/** The one line of a header; `undefined` when there is none. Two are refused: which of them counts is what smuggling is about. */
export function onlyHeader(request: Pick<FastifyRequest, 'raw'>, name: string): string | undefined {
  const lines = headerLines(request.raw, name)
  if (lines.length > 1) throw new RefusedCredential(`two ${name} headers`)
  return lines[0]
}

/** The sub-protocols a client offers. Several lines are one list (RFC 6455 section 11.3.4). */
export function offeredProtocols(request: Pick<FastifyRequest, 'raw'>): readonly string[] {
  return headerLines(request.raw, 'sec-websocket-protocol').flatMap((line) => line.split(',').map(withoutOuterSpace))
}

/**
 * The credential in `Sec-WebSocket-Protocol: chat, <prefix><credential>`: the only header a browser lets a page choose for
 * a WebSocket. `undefined` when no entry has the prefix; two are refused.
 */
export function protocolCredential(request: Pick<FastifyRequest, 'raw'>, prefix: string): string | undefined {
  const carrying = offeredProtocols(request).filter((entry) => entry.startsWith(prefix))
  if (carrying.length > 1) throw new RefusedCredential(`two sub-protocols with the prefix ${prefix}`)
  return carrying[0]?.slice(prefix.length)
}

/** The offered sub-protocols that carry a credential. In any case of letters: a misspelt one must not be echoed either. */
export function protocolsWithPrefix(offered: readonly string[], prefix: string): readonly string[] {
  return offered.filter((entry) => entry.toLowerCase().startsWith(prefix))
}

/** The credential of `Authorization: <scheme> <credential>`; `undefined` for another scheme, or none (RFC 9110 section 11.4). */
export function authorizationCredential(request: Pick<FastifyRequest, 'raw'>, scheme: string): string | undefined {
  const line = onlyHeader(request, 'authorization')
  if (line === undefined) return undefined
  const space = line.indexOf(' ')
  const named = space === -1 ? line : line.slice(0, space)
  if (named.toLowerCase() !== scheme) return undefined
  return space === -1 ? '' : withoutOuterSpace(line.slice(space + 1))
}

/** Only space and tab, the optional white space of HTTP: `trim()` also removes U+00A0 and thereby makes two names one. */
export function withoutOuterSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** Headers that an application may read a credential from, by their names; those of the handshake itself open nothing. */
const credentialHeader = /auth|cookie|token|key|secret|session|pass|assertion/
const harmlessHeaders = new Set(['sec-websocket-key'])

/**
 * The texts of a request that may be a credential, whole and in the pieces in which it is shown: an error that quotes one of them is
 * not to be logged with it. Never throws.
 */
export function credentialTexts(request: Pick<FastifyRequest, 'raw'>): readonly string[] {
  const texts = new Set<string>()
  const { rawHeaders = [], url = '' } = request.raw
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    const value = rawHeaders[at + 1] ?? ''
    if (name === 'cookie') for (const pair of value.split(';')) addPieces(texts, pair.slice(pair.indexOf('=') + 1))
    else if (name === 'sec-websocket-protocol') for (const entry of value.split(',')) addProtocol(texts, entry)
    else if (credentialHeader.test(name) && !harmlessHeaders.has(name)) addPieces(texts, value)
  }
  const query = url.indexOf('?')
  if (query !== -1) for (const value of new URLSearchParams(url.slice(query + 1)).values()) addPieces(texts, value)
  return [...texts]
}

/** `ticket.<credential>`, `bearer.<credential>`: a name without a credential in it is a name. */
function addProtocol(texts: Set<string>, entry: string): void {
  const name = withoutOuterSpace(entry)
  if (name.length >= 24) addPieces(texts, name.slice(name.indexOf('.') + 1))
}

function addPieces(texts: Set<string>, value: string): void {
  const whole = withoutOuterSpace(value)
  if (whole === '') return
  texts.add(whole)
  const afterScheme = withoutOuterSpace(whole.slice(whole.indexOf(' ') + 1))
  texts.add(afterScheme)
  const plain = percentDecoded(afterScheme)
  texts.add(plain)
  // The id of a signed cookie, the parts of a JSON Web Token.
  for (const part of plain.split('.')) if (part.length >= 8) texts.add(part)
  if (whole !== afterScheme) {
    // HTTP Basic: `user:password`. The user alone is no secret.
    const text = Buffer.from(afterScheme, 'base64').toString()
    const colon = text.indexOf(':')
    if (colon !== -1) texts.add(text).add(text.slice(colon + 1))
  }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
