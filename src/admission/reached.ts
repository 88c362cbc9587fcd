import { type Authority, type Scheme, serializeHost } from '../http/authority.ts'
import type { HandshakeFacts } from './handshake-request.ts'
import { effectiveHost } from './host.ts'
import { effectiveScheme } from './transport.ts'

/** The address that a client connected to, as far as it and the proxies that are trusted say. */
export interface Reached {
  readonly scheme: Scheme
  readonly host: Authority | undefined
  /** The origin of both, which a page of this server has. */
  readonly own: string | undefined
}

export function reachedBy(facts: HandshakeFacts): Reached {
  return new ReachedAddress(effectiveScheme(facts), effectiveHost(facts))
}

class ReachedAddress implements Reached {
  readonly scheme: Scheme
  readonly host: Authority | undefined

  constructor(scheme: Scheme, host: Authority | undefined) {
    this.scheme = scheme
    this.host = host
  }

  /** Most lists of origins have no use for it. */
  get own(): string | undefined {
    return this.host === undefined ? undefined : `${this.scheme}://${serializeHost(this.host, this.scheme)}`
  }
}
