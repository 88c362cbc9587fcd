import { type Authority, parseHost, type Scheme, serializeHost } from '../http/authority.ts'

/** An http(s) origin in its one serialization. */
export interface WebOrigin extends Authority {
  readonly scheme: Scheme
  readonly text: string
}

/** `https://`, a DNS name with its last dot, a port: six kilobytes of origin are not worth parsing. */
const longest = 8 + 254 + 6

/** The one that was asked for last: a page of strangers has its visitors' browsers send the same one all day. */
let lately: { readonly value: string; readonly origin: WebOrigin | undefined } = { value: '', origin: undefined }

/**
 * Reads an Origin header, or says that it is none. `new URL(value).origin` is no check: it repairs `https:/h`, backslashes,
 * tabs, escapes and `127.1`, and calls every unknown scheme "null". So the value must be what `URL` would write (RFC 6454
 * section 6.2); only ASCII case and a spelled-out default port may differ.
 */
export function readOrigin(value: string): WebOrigin | undefined {
  if (value.length > longest) return undefined
  if (lately.value !== value) lately = { value, origin: parseOrigin(value) }
  return lately.origin
}

function parseOrigin(value: string): WebOrigin | undefined {
  const [, scheme, rest = ''] = /^(https?):\/\/(.*)$/i.exec(value) ?? []
  if (scheme === undefined) return undefined
  const authority = parseHost(rest)
  if (authority === undefined) return undefined
  const lower = scheme.toLowerCase() === 'https' ? 'https' : 'http'
  const text = `${lower}://${serializeHost(authority, lower)}`
  // The grammar leaves what only a parser knows: the number forms of IPv4 and the zeros of IPv6.
  if (URL.parse(text)?.origin !== text) return undefined
  return { ...authority, scheme: lower, text }
}

/**
 * An origin of another scheme, such as a browser extension's: a scheme, a host, perhaps a port (RFC 6454 section 6.2), in
 * ASCII. `URL` serializes them all as "null", so they are compared as they are: Safari writes its ids in capitals.
 */
export function isOtherOrigin(value: string): boolean {
  if (isFileOrigin(value)) return true
  return /^(?!(?:https?|wss?):)[a-z][a-z0-9+.-]{0,63}:\/\/[a-z0-9._-]{1,253}(?::[1-9][0-9]{0,4})?$/i.test(value)
}

/** The origin of a page that was opened from a disk: that of every other such page as well. */
export function isFileOrigin(value: string): boolean {
  return /^(?:file|content):\/\/[a-z0-9._-]{0,253}$/i.test(value)
}
