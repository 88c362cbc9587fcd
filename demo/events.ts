import type { AuditEvent } from 'fastify-secure-ws'
import { Type } from 'typebox'

/** What the page is shown of an audit event: no address, no session. */
export const eventSchema = Type.Object({
  name: Type.String(),
  at: Type.String(),
  code: Type.String(),
  status: Type.String(),
  origin: Type.String(),
  user: Type.String(),
  reason: Type.String(),
})

/** The status a refused handshake was answered with (docs/protocol.md). A browser page cannot see it; the server can. */
const statuses = new Map<unknown, string>([
  ['SWS_BAD_HANDSHAKE', '400'],
  ['SWS_UNAUTHENTICATED', '401'],
  ['SWS_ORIGIN_REFUSED', '403'],
  ['SWS_FETCH_METADATA_REFUSED', '403'],
  ['SWS_FORBIDDEN', '403'],
  ['SWS_HOST_REFUSED', '421'],
  ['SWS_INSECURE_TRANSPORT', '426'],
  ['SWS_TOO_MANY_HANDSHAKES', '429'],
])

export function asEvent(event: AuditEvent) {
  const refused = event.type === 'handshake.refused'
  const accepted = event.type === 'handshake.accepted'
  return {
    name: event.type,
    at: event.at,
    code: String(event.code ?? ''),
    status: refused ? (statuses.get(event.code) ?? '') : accepted ? '101' : '',
    origin: event.origin ?? '',
    user: event.user ?? '',
    reason: event.reason ?? '',
  }
}
