import type { AuditEvent, AuditType } from 'fastify-secure-ws'
import { Type } from 'typebox'

/** What the page is shown of an audit event: no address, no session. */
export const eventSchema = Type.Object({
  /** In words. */
  says: Type.String(),
  kind: Type.String(),
  at: Type.String(),
  /** The audit event's own name, for who wants to look it up. */
  name: Type.String(),
  code: Type.String(),
  status: Type.String(),
  origin: Type.String(),
  user: Type.String(),
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

const refusals = new Map<unknown, string>([
  ['SWS_ORIGIN_REFUSED', 'A page of another site tried to connect, and was turned away'],
  ['SWS_FETCH_METADATA_REFUSED', 'A page of another site tried to connect, and was turned away'],
  ['SWS_UNAUTHENTICATED', 'A visitor without a sign-in was turned away'],
  ['SWS_HOST_REFUSED', 'A visitor came by a name that is not ours, and was turned away'],
  ['SWS_TOO_MANY_HANDSHAKES', 'A visitor knocked too often, and was turned away'],
  ['SWS_INVALID_MESSAGE', 'A message with something nobody declared was thrown away'],
  ['SWS_UNKNOWN_TYPE', 'A message of a kind nobody declared was thrown away'],
  ['SWS_TOO_FAST', 'Messages came too fast, and were thrown away'],
  ['SWS_FORBIDDEN', 'A message that its sender has no right to was thrown away'],
  ['SWS_BINARY_REFUSED', 'A file that is no picture was thrown away'],
])

const stories: Partial<Record<AuditType, string>> = {
  'handshake.accepted': 'A socket was opened',
  'handshake.refused': 'A connection was turned away',
  'message.refused': 'A message was thrown away',
  'socket.closed': 'A socket was closed',
  'room.joined': 'A room was entered',
  'room.left': 'A room was left',
  'session.revoked': 'A sign-in was ended: all its sockets are closed',
  'session.expired': 'A sign-in ran out',
}

export function asEvent(event: AuditEvent) {
  const refused = event.type === 'handshake.refused'
  const accepted = event.type === 'handshake.accepted'
  return {
    says: refusals.get(event.code) ?? stories[event.type] ?? event.type,
    kind: /refused|failed/.test(event.type) ? 'refused' : 'note',
    at: event.at,
    name: event.type,
    code: String(event.code ?? ''),
    status: refused ? (statuses.get(event.code) ?? '') : accepted ? '101' : '',
    origin: event.origin ?? '',
    user: event.user ?? '',
  }
}
