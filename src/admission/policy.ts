import { badOption } from '../errors.ts'
import { isLoopbackHost } from '../http/authority.ts'
import { compileHosts, type HostPolicy } from './host.ts'
import type { dangerouslyAllowAnyOrigin, OriginFunction, OriginPolicy } from './origin.ts'
import { type CompiledOrigins, compileOrigins, hostsOf } from './origin-list.ts'
import { isFileOrigin } from './web-origin.ts'

/** The pages and clients that may connect, by what a handshake says about itself. */
export interface AdmissionOptions {
  /**
   * Pages that may open a socket (RFC 6454): `'same-origin'`, a list of origins with `*.` (one label) or `**.` (any
   * number) in front of a host, a function, or `dangerouslyAllowAnyOrigin`. Others get 403. Default `'same-origin'`.
   */
  readonly origins: 'same-origin' | readonly string[] | OriginFunction | typeof dangerouslyAllowAnyOrigin
  /**
   * Names that `Host` may have, with a port where it is not the default one. Others get 421 (DNS rebinding). Default:
   * the hosts of `origins`; without any, the names of the loopback address.
   */
  readonly hosts?: readonly string[]
  /**
   * Admit a handshake without `Origin`, as programs send it. Fails registration beside cookies, Basic and client
   * certificates. Default `false`.
   */
  readonly allowMissingOrigin: boolean
  /** Admit `Origin: null`, which any page can send from a sandboxed frame. Default `false`. */
  readonly dangerouslyAllowNullOrigin: boolean
  /** Admit `Origin: file://`, which every page has that is opened from a disk, a saved or attached one too. Default `false`. */
  readonly dangerouslyAllowFileOrigin: boolean
  /** Admit plain `ws://` beyond the loopback address. Default `false`. */
  readonly allowInsecureTransport: boolean
}

/** The finished rules of a route: per request there are only look-ups. */
export interface AdmissionPolicy {
  readonly origins: OriginPolicy
  readonly hosts: HostPolicy
  readonly allowInsecureTransport: boolean
  /** The rules as plain values, for a start-up line or a test. */
  explain(): AdmissionExplained
}

export interface AdmissionExplained {
  readonly origins: 'same-origin' | 'any' | 'a function' | readonly string[]
  readonly hosts: readonly string[]
  readonly allowMissingOrigin: boolean
  readonly dangerouslyAllowNullOrigin: boolean
  readonly dangerouslyAllowFileOrigin: boolean
  readonly allowInsecureTransport: boolean
}

/**
 * @param path Where the options stand, for messages: `''`, or `'/ws secureWs'` for a route's own.
 * @throws SecureWsError SWS_BAD_OPTION with the full path, the value and what to write instead.
 */
export function compileAdmission(options: AdmissionOptions, path: string): AdmissionPolicy {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`)
  const listed = compileOrigins(options.origins, at('origins'))
  const origins: OriginPolicy = {
    ...listed,
    missing: boolean(options.allowMissingOrigin, at('allowMissingOrigin')),
    nullOrigin: boolean(options.dangerouslyAllowNullOrigin, at('dangerouslyAllowNullOrigin')),
    fileOrigin: boolean(options.dangerouslyAllowFileOrigin, at('dangerouslyAllowFileOrigin')),
  }
  const ofFiles = [...listed.exact].find(isFileOrigin)
  if (ofFiles !== undefined && !origins.fileOrigin) {
    throw badOption(
      at('origins'),
      ofFiles,
      'Every page that is opened from a disk has this origin, a saved or attached one too. `dangerouslyAllowFileOrigin: true` admits them.',
    )
  }
  const hosts =
    options.hosts === undefined ? defaultHosts(listed, at('hosts')) : compileHosts(options.hosts, at('hosts'))
  const allowInsecureTransport = boolean(options.allowInsecureTransport, at('allowInsecureTransport'))
  return {
    origins,
    hosts,
    allowInsecureTransport,
    explain: () => ({
      origins: explainOrigins(origins),
      hosts: [...hosts.names, ...(hosts.loopback ? ['localhost:*', '127.0.0.1:*', '[::1]:*'] : [])],
      allowMissingOrigin: origins.missing,
      dangerouslyAllowNullOrigin: origins.nullOrigin,
      dangerouslyAllowFileOrigin: origins.fileOrigin,
      allowInsecureTransport,
    }),
  }
}

/**
 * With no `hosts`: the hosts of the listed origins. A rule that names no host of its own (same origin, a function, every
 * origin) leaves loopback only, so that nothing is served under an unknown name until the public one is configured.
 */
function defaultHosts(listed: CompiledOrigins, path: string): HostPolicy {
  if (listed.exact.size === 0 && listed.wildcards.size === 0) return { names: new Set(), loopback: true }
  const hosts = hostsOf(listed)
  if (hosts.length === 0) {
    throw badOption(path, undefined, 'No entry of `origins` names a host of this server: list its names in `hosts`.')
  }
  // A page on localhost talks to a server on another port of localhost; a rebound name is never one of the loopback names.
  const loopback = hosts.some(({ name }) => isLoopbackHost({ name, port: undefined }))
  return { names: new Set(hosts.map(({ text }) => text)), loopback }
}

function explainOrigins({ sameOrigin, any, ask, exact, wildcards }: OriginPolicy): AdmissionExplained['origins'] {
  if (sameOrigin) return 'same-origin'
  if (any) return 'any'
  if (ask !== undefined) return 'a function'
  const patterns = [...wildcards].map(([parent, depth]) => parent.replace('://', depth === 'one' ? '://*.' : '://**.'))
  return [...exact, ...patterns]
}

function boolean(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') return value
  throw badOption(path, value, 'Write true or false.')
}
