import type { FastifyRequest } from 'fastify'

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
