/** Everything that is decided about a handshake, a socket or a message, by name. `docs/threats.md` lists who sees what. */
export type AuditType =
  | 'handshake.accepted'
  | 'handshake.refused'
  | 'handshake.reported'
  | 'handshake.asked'
  | 'socket.closed'
  | 'socket.failed'
  | 'message.refused'
  | 'message.failed'
  | 'output.refused'
  | 'session.expired'
  | 'session.revoked'
  | 'session.revalidation-failed'
  | 'room.joined'
  | 'room.left'
  | 'room.refused'
  | 'ticket.issued'
  | 'relay.failed'
  | 'server.drained'
  | 'server.overloaded'
  | 'options.loosened'

/** A decision: who, what, when, where. Never a message body, a credential or a raw session id (ASVS 16.2.5). */
export interface AuditEvent {
  /** The kind of decision. */
  readonly type: AuditType
  /** ISO 8601, UTC. */
  readonly at: string
  /** A refusal code (`SWS_...`) or a close code. */
  readonly code?: string | number
  /** The reason, for the operator: control characters escaped, cut at 256 characters. Never sent to the client. */
  readonly reason?: string
  /** The route as it was declared, such as `/rooms/:id`. */
  readonly route?: string
  /** The socket's id, on every event that concerns one. */
  readonly socket?: string
  /** The first 16 hex digits of SHA-256 of the session id: correlates events, opens nothing. */
  readonly session?: string
  /** `session.userId`. */
  readonly user?: string
  /** The address that the handshake came from. */
  readonly address?: string
  /** The `Origin` of the handshake. */
  readonly origin?: string
  /** The authenticator that spoke. */
  readonly method?: string
  /** A declared message type, or the quoted one a client sent. */
  readonly messageType?: string
  /** The room. */
  readonly room?: string
  /** How long it took, in ms: the handshake, the life of the socket, or the drain. */
  readonly durationMs?: number
  /** How many it concerned: the sockets that were closed. */
  readonly count?: number
  /**
   * In the log alone: how many of the same type and code were not logged since the last line. The `audit` function gets
   * every one.
   */
  readonly suppressed?: number
}

/** What a caller knows; `at` and quoting are added here, so that no caller can forget either. */
export type AuditEntry = { readonly type: AuditType; readonly sessionId?: string | undefined } & {
  readonly [Key in Exclude<keyof AuditEvent, 'type' | 'at' | 'session' | 'suppressed'>]?: AuditEvent[Key] | undefined
}

/** The part of a pino logger that is used. */
export interface AuditLogger {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
