import { type Authority, parseHost, type Scheme, serializeHost } from '../http/authority.ts'
import { listElements } from '../http/header-list.ts'
import type { HandshakeFacts } from './handshake-request.ts'

// The address that a client connected to, as far as it and the proxies that are trusted say.

/**
 * How the client reached us. A trusted proxy's `X-Forwarded-Proto` decides, also against TLS on this leg; if any hop of it
 * was not encrypted, none was. Traefik writes `wss`.
 */
export function effectiveScheme(facts: HandshakeFacts): Scheme {
  if (facts.forwardedProto === undefined) return facts.encrypted ? 'https' : 'http'
  const encrypted = listElements(facts.forwardedProto).every((element) => /^(?:https|wss)$/i.test(element))
  return encrypted ? 'https' : 'http'
}

/**
 * The host that the client asked for: behind a trusted proxy the last `X-Forwarded-Host` entry, the one that this proxy
 * wrote; earlier ones came from outside. A malformed or empty one is `undefined`, not a reason to look elsewhere.
 */
export function effectiveHost(facts: HandshakeFacts): Authority | undefined {
  const named = facts.forwardedHost === undefined ? facts.host : listElements(facts.forwardedHost).at(-1)
  return named === undefined ? undefined : parseHost(named)
}

/** The origin of both, which a page of this server has. Most lists of origins have no use for it. */
export function ownOrigin(facts: HandshakeFacts): string | undefined {
  const host = effectiveHost(facts)
  const scheme = effectiveScheme(facts)
  return host === undefined ? undefined : `${scheme}://${serializeHost(host, scheme)}`
}
