import type { FastifyRequest } from 'fastify'
import type { Situation } from './advice.ts'
import type { HandshakeFacts } from './handshake-request.ts'
import { isTrusted } from './peer.ts'

/** The part of a route's `authenticate` option that changes advice. */
export interface AskedFor {
  readonly ambient: boolean
  readonly looksFor: readonly string[]
  explain(): { readonly methods: readonly string[] }
}

/** Read only where somebody will read the advice: none of this is needed to refuse. */
export function situationOf(request: FastifyRequest, facts: HandshakeFacts, asked: AskedFor | undefined): Situation {
  return {
    facts,
    methods: asked?.explain().methods ?? [],
    ambient: asked?.ambient ?? false,
    looksFor: asked?.looksFor ?? [],
    peerIsTrusted: isTrusted(request),
    hasForwardedFor: Object.hasOwn(request.raw.headers, 'x-forwarded-for'),
    // A path, where Node's other servers have an object.
    unixSocket: typeof request.server.server.address() === 'string',
  }
}
