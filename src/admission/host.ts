import { isIPv6 } from 'node:net'
import { badOption } from '../errors.ts'
import { listElements } from '../http/header-list.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { HandshakeFacts } from './handshake-request.ts'

export type Scheme = 'https' | 'http'

/** A host as a client names it: lower case, nothing else repaired. */
export interface Authority {
  readonly name: string
  readonly port: number | undefined
}

/** Which hosts a `Host` header may name. */
export interface HostPolicy {
  readonly names: ReadonlySet<string>
  /** Also localhost, 127.0.0.1 and [::1], on any port. */
  readonly loopback: boolean
}

const defaultPorts: Readonly<Record<Scheme, number>> = { https: 443, http: 80 }

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

/**
 * The host that the client asked for: behind a trusted proxy the last `X-Forwarded-Host` entry, the one that this proxy
 * wrote; earlier ones came from outside. A malformed or empty one is `undefined`, not a reason to look elsewhere.
 */
export function effectiveHost(facts: HandshakeFacts): Authority | undefined {
  const named = facts.forwardedHost === undefined ? facts.host : listElements(facts.forwardedHost).at(-1)
  return named === undefined ? undefined : parseHost(named)
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

/**
 * DNS rebinding makes a page's own name resolve to this server: Origin and Host then agree, and only a list of our names
 * tells them from ours.
 */
export function checkHost(host: Authority | undefined, scheme: Scheme, policy: HostPolicy): Refusal | undefined {
  if (host === undefined) return refuse('SWS_HOST_REFUSED', 'the forwarded host is malformed')
  if (policy.loopback && loopbackNames.has(host.name)) return undefined
  const name = serializeHost(host, scheme)
  if (policy.names.has(name)) return undefined
  // An entry that spells the default port out means the same host.
  if (host.port === undefined && policy.names.has(`${name}:${defaultPorts[scheme]}`)) return undefined
  return refuse('SWS_HOST_REFUSED', `Host ${name} is not one of \`hosts\``, {
    advice: `If ${name} is this server, add "${name}" to \`hosts\`.`,
  })
}

/** @throws SecureWsError SWS_BAD_OPTION for whatever is not a list of `name` or `name:port`. */
export function compileHosts(hosts: unknown, path: string): HostPolicy {
  if (!Array.isArray(hosts)) throw badOption(path, hosts, "Write a list, such as ['app.example'].")
  if (hosts.length === 0) throw badOption(path, hosts, 'List at least one host, or leave the option out.')
  return { names: new Set(hosts.map((host, index) => compileHost(host, `${path}[${index}]`))), loopback: false }
}

function compileHost(text: unknown, path: string): string {
  if (typeof text !== 'string')
    throw badOption(path, text, "Write a name, such as 'app.example' or 'app.example:8443'.")
  if (text.includes('*')) throw badOption(path, text, 'A host has no wildcard. List every name that this server has.')
  if (text.includes('://')) throw badOption(path, text, "A host has no scheme: 'app.example' or 'app.example:8443'.")
  const host = readConfiguredHost(text)
  if (host === undefined) throw badOption(path, text, "Write a name, such as 'app.example' or 'app.example:8443'.")
  return host.port === undefined ? host.name : `${host.name}:${host.port}`
}
