import type { HandshakeFacts } from './handshake-request.ts'
import { type Authority, effectiveHost, type Scheme, serializeHost } from './host.ts'
import { effectiveScheme } from './transport.ts'

/** The address that a client connected to, as far as it and the proxies that are trusted say. */
export interface Reached {
  readonly scheme: Scheme
  readonly host: Authority | undefined
  /** The origin of both, which a page of this server has. */
  readonly own: string | undefined
}

export function reachedBy(facts: HandshakeFacts): Reached {
  const scheme = effectiveScheme(facts)
  const host = effectiveHost(facts)
  return { scheme, host, own: host === undefined ? undefined : `${scheme}://${serializeHost(host, scheme)}` }
}
