import type { IncomingMessage } from 'node:http'
import type { Situation } from './advice.ts'
import type { HandshakeFacts } from './handshake-request.ts'

/** The part of a route's `authenticate` option that changes advice. */
export interface AskedFor {
  readonly ambient: boolean
  readonly looksFor: readonly string[]
  explain(): { readonly methods: readonly string[] }
}

/** A handshake as whoever refused it knows it. */
export interface Place {
  readonly facts: HandshakeFacts
  readonly raw: Pick<IncomingMessage, 'headers'>
  readonly peerIsTrusted: boolean
  readonly unixSocket: boolean
}

/** Read only where somebody will read the advice: none of this is needed to refuse. */
export function situationOf({ facts, raw, peerIsTrusted, unixSocket }: Place, asked: AskedFor | undefined): Situation {
  return {
    facts,
    methods: asked?.explain().methods ?? [],
    ambient: asked?.ambient ?? false,
    looksFor: asked?.looksFor ?? [],
    peerIsTrusted,
    hasForwardedFor: Object.hasOwn(raw.headers, 'x-forwarded-for'),
    unixSocket,
  }
}
