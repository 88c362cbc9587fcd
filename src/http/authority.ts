import { isIPv6 } from 'node:net'

export type Scheme = 'https' | 'http'

/** A host as a client names it: lower case, nothing else repaired. */
export interface Authority {
  readonly name: string
  readonly port: number | undefined
}

export const defaultPorts: Readonly<Record<Scheme, number>> = { https: 443, http: 80 }

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]'])

const grammar = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::(0|[1-9][0-9]{0,4}))?$/i

/** The one that was asked for last: a server has few names, and each handshake asks for its own three times. */
let lately: { readonly text: string; readonly host: Authority | undefined } = { text: '', host: undefined }

/** RFC 9112 section 3.2, without the characters that no host on the web has: no userinfo, list, path, zone or escape. */
export function parseHost(text: string): Authority | undefined {
  if (lately.text !== text) lately = { text, host: readAuthority(text) }
  return lately.host
}

function readAuthority(text: string): Authority | undefined {
  // By position: an object of named groups, for each handshake three times, was more than the match itself.
  const parts = grammar.exec(text)
  // Lower case only after the match: Unicode has letters whose lower case is ASCII.
  const name = parts?.[1]?.toLowerCase()
  if (name === undefined || name.length > (name.endsWith('.') ? 254 : 253)) return undefined
  if (name.startsWith('[') && !isIPv6(name.slice(1, -1))) return undefined
  const port = parts?.[2] === undefined ? undefined : Number(parts[2])
  return port !== undefined && port > 65535 ? undefined : { name, port }
}

/**
 * A host as an option names it: an IDN becomes punycode, as on the wire; nothing else that `URL` would repair (escapes,
 * backslashes, number forms of an address) is let through.
 */
export function readConfiguredHost(text: string): Authority | undefined {
  const punycode = /[^\x20-\x7e]/.test(text) ? toPunycode(text) : text
  const host = punycode === undefined ? undefined : parseHost(punycode)
  return host !== undefined && URL.parse(`https://${host.name}`)?.hostname === host.name ? host : undefined
}

function toPunycode(text: string): string | undefined {
  if (/[\s/?#@\\%]/.test(text)) return undefined
  const name = URL.parse(`https://${text}`)?.hostname
  const port = /:\d+$/.exec(text)?.[0] ?? ''
  return name === undefined ? undefined : `${name}${port}`
}

/** `name`, with the port only where it is not the default of the scheme. */
export function serializeHost({ name, port }: Authority, scheme: Scheme): string {
  return port === undefined || port === defaultPorts[scheme] ? name : `${name}:${port}`
}

/**
 * The three names that no DNS answer can point elsewhere. Not `*.localhost`: not every resolver keeps that at home.
 */
export function isLoopbackHost(host: Authority | undefined): boolean {
  return host !== undefined && loopbackNames.has(host.name)
}
