import type { FastifyRequest } from 'fastify'
import { type Authority, parseHost, type Scheme, serializeHost } from '../http/authority.ts'
import { listElements } from '../http/header-list.ts'
import type { HandshakeFacts } from './handshake-request.ts'

// The address that a client connected to, and the one that it came from, as far as it and the proxies that are trusted say.

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

/**
 * Whether the other end of this TCP connection is a proxy that Fastify's `trustProxy` trusts. `trustProxy` can be a list of
 * ranges or a function and is not readable from outside, so Fastify's own getter is asked about a request that carries one
 * forwarded header: only for a trusted peer does it return it. A peer that sends no forwarded header needs no trust.
 */
export function peerIsTrusted(request: FastifyRequest): boolean {
  const { headers } = request.raw
  if (!Object.hasOwn(headers, 'x-forwarded-proto') && !Object.hasOwn(headers, 'x-forwarded-host')) return false
  return isTrusted(request)
}

/** The same of a peer that may have sent no such header: a proxy that should, and does not. */
export function isTrusted(request: FastifyRequest): boolean {
  const { socket } = request.raw
  const probe: { raw?: unknown; readonly host?: unknown } = Object.create(Object.getPrototypeOf(request))
  probe.raw = { socket, headers: { 'x-forwarded-host': 'probe' } }
  try {
    return probe.host === 'probe'
  } catch {
    // A `trustProxy` function of the application threw: nobody is trusted.
    return false
  }
}

/**
 * The client's address as Fastify resolves it, or `undefined` where there is none: `injectWS` requests have no socket, and
 * with `trustProxy` set Fastify's getter throws on them.
 */
export function clientAddress(request: FastifyRequest): string | undefined {
  try {
    const ip: unknown = request.ip
    return typeof ip === 'string' ? ip : undefined
  } catch {
    return undefined
  }
}
