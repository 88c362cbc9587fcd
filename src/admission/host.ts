import { badOption } from '../errors.ts'
import {
  type Authority,
  defaultPorts,
  isLoopbackHost,
  readConfiguredHost,
  type Scheme,
  serializeHost,
} from '../http/authority.ts'
import { type Refusal, refuse } from '../http/refusal.ts'

/** Which hosts a `Host` header may name. */
export interface HostPolicy {
  readonly names: ReadonlySet<string>
  /** Also localhost, 127.0.0.1 and [::1], on any port. */
  readonly loopback: boolean
}

/**
 * DNS rebinding makes a page's own name resolve to this server: Origin and Host then agree, and only a list of our names
 * tells them from ours.
 */
export function checkHost(host: Authority | undefined, scheme: Scheme, policy: HostPolicy): Refusal | undefined {
  if (host === undefined) return refuse('SWS_HOST_REFUSED', 'the forwarded host is malformed')
  if (policy.loopback && isLoopbackHost(host)) return undefined
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
