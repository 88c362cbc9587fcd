import { isLoopbackAddress } from '../http/address.ts'
import { type Authority, isLoopbackHost, type Scheme } from '../http/authority.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { HandshakeFacts } from './handshake-request.ts'

/**
 * Plain `ws://` is fine where no network is between (CS-1): from this machine to this machine. The peer alone does not show
 * that, because a proxy on this machine is a loopback peer too; so the name must be a loopback name, and nothing may say
 * that the request was passed on.
 */
export function checkTransport(
  facts: HandshakeFacts,
  scheme: Scheme,
  host: Authority | undefined,
  allowInsecureTransport: boolean,
): Refusal | undefined {
  if (scheme === 'https' || allowInsecureTransport) return undefined
  if (isLoopbackAddress(facts.peerAddress) && isLoopbackHost(host) && !facts.forwarded) return undefined
  const advice = facts.forwarded
    ? "A proxy passed this on. If it ended TLS, name its address in Fastify's `trustProxy` and let it send X-Forwarded-Proto."
    : "Serve TLS, or end it at a proxy named in Fastify's `trustProxy`. `allowInsecureTransport: true` gives encryption up."
  return refuse('SWS_INSECURE_TRANSPORT', 'not encrypted', { advice, headers: { upgrade: 'TLS/1.2' } })
}
