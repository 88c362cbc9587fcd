import type { FastifyRequest } from 'fastify'
import { type HandshakeFacts, readHandshake } from './handshake-request.ts'
import { clientAddress, peerIsTrusted } from './peer.ts'

/** The facts of a request, as far as the proxy that handed it on may be believed. */
export function readFacts(request: FastifyRequest, address = clientAddress(request)): HandshakeFacts {
  return readHandshake(request.raw, { trusted: peerIsTrusted(request), address })
}
