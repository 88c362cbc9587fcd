/** Everything that is decided, by name. `docs/events.md` lists them with their fields. */
export type AuditType =
  | 'handshake.accepted'
  | 'handshake.refused'
  | 'handshake.reported'
  | 'handshake.asked'
  | 'socket.closed'
  | 'socket.failed'
  | 'socket.dismissed'
  | 'stream.closed'
  | 'stream.failed'
  | 'message.refused'
  | 'message.reported'
  | 'message.replayed'
  | 'message.step-up'
  | 'message.failed'
  | 'output.refused'
  | 'sanitizer.refused'
  | 'sanitizer.failed'
  | 'session.expired'
  | 'session.refreshed'
  | 'session.refresh-refused'
  | 'session.reauthorized'
  | 'session.revoked'
  | 'session.revocation-heard'
  | 'session.revalidation-failed'
  | 'room.joined'
  | 'room.left'
  | 'room.kicked'
  | 'room.refused'
  | 'ticket.issued'
  | 'server.drained'
  | 'server.overloaded'
  | 'relay.failed'
  | 'relay.refused'
  | 'relay.recovered'
  | 'options.loosened'

/** What each event has beside `type` and `at`. */
type Field = Exclude<keyof AuditEvent, 'type' | 'at' | 'suppressed'>

interface EventRow {
  readonly level: 'info' | 'warn' | 'error'
  /** The moment it tells of, as `docs/events.md` has it. */
  readonly when: string
  readonly fields: readonly Field[]
}

const ofHandshake = ['route', 'session', 'user', 'address', 'origin'] as const satisfies Field[]
const ofSocket = ['route', 'socket', 'session', 'user', 'address', 'origin'] as const satisfies Field[]

/**
 * The catalogue: everything that is decided about a handshake, a socket, a message, a session or this node. `docs/events.md` is
 * written out of it, and the suite sees each of them with these fields.
 */
export const auditEvents = {
  'handshake.accepted': {
    level: 'info',
    when: 'a socket has opened, or a guarded stream; `durationMs` is how long the handshake took',
    fields: ['durationMs', 'method', ...ofSocket],
  },
  'handshake.refused': {
    level: 'warn',
    when: 'a handshake was refused; `code` is the code of the answer. `session` and `user` are there where it was known by then whose it is',
    fields: ['code', 'reason', 'durationMs', ...ofHandshake],
  },
  'handshake.reported': {
    level: 'warn',
    when: 'a handshake would have been refused with `code`, by a rule that only reports ([`enforce`](options.md#enforce)); it goes on',
    fields: ['code', 'reason', 'durationMs', ...ofHandshake],
  },
  'handshake.asked': {
    level: 'info',
    when: 'a client asked [why](protocol.md#why-a-handshake-fails) its handshake fails; `code` is what it was told, left out where it would be let in',
    fields: ['code', 'reason', 'route', 'address', 'origin'],
  },
  'socket.closed': {
    level: 'info',
    when: 'a socket has closed, from either side; `code` is the close code, `durationMs` how long it was open',
    fields: ['code', 'reason', 'durationMs', ...ofSocket],
  },
  'socket.failed': {
    level: 'warn',
    when: 'a client broke the protocol, or a connection failed; `code` is that of ws or of Node',
    fields: ['code', 'reason', ...ofSocket],
  },
  'socket.dismissed': {
    level: 'info',
    when: '`app.secureWs.close` was called; `code` is what it closes with, `count` how many sockets of this node it has hit, `reason` is there where the other nodes were not told',
    fields: ['code', 'reason', 'count', 'socket'],
  },
  'stream.closed': {
    level: 'info',
    when: 'a stream behind [`guard`](guarding.md) has ended; `code` is that of the reason, `durationMs` how long it was open',
    fields: ['code', 'reason', 'durationMs', ...ofSocket],
  },
  'stream.failed': {
    level: 'error',
    when: 'the server behind a guard threw at a handshake that was let through: the log has the error as `err`, and the stream is cut',
    fields: ['reason', 'route', 'address', 'origin'],
  },
  'message.refused': {
    level: 'warn',
    when: 'a message was refused; `code` is what the client was told',
    fields: ['code', 'reason', 'messageType', ...ofSocket],
  },
  'message.reported': {
    level: 'warn',
    when: 'a message would have been refused with `code`, by a rule that only reports ([`enforce`](options.md#enforce)); it goes on. `count` is how many of this socket there were since the last such event: of a flood few are told',
    fields: ['code', 'reason', 'count', 'messageType', ...ofSocket],
  },
  'message.replayed': {
    level: 'warn',
    when: 'a message came a second time, too late, or without its `nonce` and `at` ([`replay`](messages.md)), and was refused',
    fields: ['code', 'reason', 'messageType', ...ofSocket],
  },
  'message.step-up': {
    level: 'info',
    when: 'a message needs a session that was authenticated more recently ([`freshAuth`](messages.md)): its client was told to sign in again',
    fields: ['code', 'reason', 'messageType', ...ofSocket],
  },
  'message.failed': {
    level: 'error',
    when: 'a listener or the handler threw: the log has the error as `err`',
    fields: ['code', 'reason', 'messageType', ...ofSocket],
  },
  'output.refused': {
    level: 'warn',
    when: 'a value could not be sent: it is not as declared or takes too much work (the code of the error that `send` throws; `reason` has the place in the schema), HTML that was refused (`SWS_SANITIZE_REFUSED`) or that the sanitizer failed to clean (`SWS_INTERNAL`: the log has the error as `err`), a slow reader (`SWS_SLOW_READER`), or the socket ended before its turn (`SWS_CLOSED`, once for the `count` messages that were lost)',
    fields: ['code', 'reason', 'count', ...ofSocket],
  },
  'sanitizer.refused': {
    level: 'warn',
    when: 'the sanitizer refused a document, for its size, its depth, its time or its sender; it holds nothing of the document, and is of this process: `message.refused` and `output.refused` tell whose it was',
    fields: ['code', 'reason'],
  },
  'sanitizer.failed': {
    level: 'error',
    when: 'the sanitizer itself failed: a worker ended, or none can be started',
    fields: ['code', 'reason'],
  },
  'session.expired': {
    level: 'info',
    when: 'a session has ended by `expiresAt`, or its authenticator says so; its socket closes with 3000',
    fields: ['reason', ...ofSocket],
  },
  'session.refreshed': {
    level: 'info',
    when: 'a socket has shown a new token for the same subject and goes on with it; `durationMs` is how long the check took',
    fields: ['durationMs', 'method', ...ofSocket],
  },
  'session.refresh-refused': {
    level: 'warn',
    when: 'a socket has shown a new token that is no good, is of somebody else, or that nobody could judge; it closes with `code`',
    fields: ['code', 'reason', 'durationMs', 'method', ...ofSocket],
  },
  'session.reauthorized': {
    level: 'info',
    when: '`reauthorize` was called; the `count` sockets of this node are asked again, and those that may not stay close with 3003',
    fields: ['count', 'session', 'user', 'token'],
  },
  'session.revoked': {
    level: 'info',
    when: '`revoke` was called; the `count` sockets of this node have closed with 3000, `durationMs` is how long it took until the other nodes can find it, `reason` is there where they cannot yet',
    fields: ['reason', 'count', 'durationMs', 'session', 'user', 'token'],
  },
  'session.revocation-heard': {
    level: 'info',
    when: 'another node has revoked; the `count` sockets of this node have closed with 3000, `durationMs` after it by the clocks of both',
    fields: ['count', 'durationMs'],
  },
  'session.revalidation-failed': {
    level: 'warn',
    when: 'the question whether a session still holds threw, or had no answer in time',
    fields: ['reason', 'durationMs', ...ofSocket],
  },
  'room.joined': { level: 'info', when: 'a socket has joined a room', fields: ['room', ...ofSocket] },
  'room.left': {
    level: 'info',
    when: 'a socket has left a room by `leave`, by `kick`, or its grant has ended (then `reason` says so)',
    fields: ['reason', 'room', ...ofSocket],
  },
  'room.kicked': {
    level: 'info',
    when: '`kick` was called; `count` is how many sockets of this node have left the room for it, `reason` is there where the other nodes were not told',
    fields: ['reason', 'count', 'room', 'socket', 'session', 'user'],
  },
  'room.refused': {
    level: 'warn',
    when: 'a join was refused: by the rules for rooms (`code` is that of the error), or by `authorize` of the room',
    fields: ['code', 'reason', 'room', ...ofSocket],
  },
  'ticket.issued': { level: 'info', when: 'a ticket was issued', fields: ['route', 'origin'] },
  'server.drained': {
    level: 'info',
    when: 'the server has closed its sockets with 1012: `count` of them in `durationMs`; `reason` says how many had to be cut',
    fields: ['count', 'durationMs', 'reason'],
  },
  'server.overloaded': {
    level: 'warn',
    when: 'more waited than `limits.memoryBytes` allows: the `count` sockets that kept the most were cut, and each has its `socket.closed` with 1013',
    fields: ['count', 'reason'],
  },
  'relay.failed': { level: 'error', when: 'the bus failed; `code` is the stage', fields: ['code', 'reason'] },
  'relay.refused': {
    level: 'error',
    when: 'something came over the bus that no node of yours has sent (no signature, a wrong one, an old one, a second time), and was let go: somebody else can write to it, or the secrets differ',
    fields: ['reason'],
  },
  'relay.recovered': {
    level: 'info',
    when: 'after a failure this node hears the others again, and has read what it missed; `durationMs` is how long that took',
    fields: ['durationMs'],
  },
  'options.loosened': {
    level: 'warn',
    when: 'an option weakens a guard: once at each start, one event for each',
    fields: ['reason'],
  },
} as const satisfies Record<AuditType, EventRow>

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
  /** `session.userId`; a digest of it with `audit: { identify: 'hash' }`. */
  readonly user?: string
  /** As `session`, of the id of a token. */
  readonly token?: string
  /** The address that the handshake came from; a digest of it with `audit: { identify: 'hash' }`. */
  readonly address?: string
  /** The `Origin` of the handshake. */
  readonly origin?: string
  /** The authenticator that spoke. */
  readonly method?: string
  /** A declared message type, or the quoted one a client sent. */
  readonly messageType?: string
  /** The room. */
  readonly room?: string
  /** How long it took, in ms: the handshake, the life of the socket, the question, the drain. */
  readonly durationMs?: number
  /** How many it concerned: sockets, or messages that were lost. */
  readonly count?: number
  /**
   * In the log, on the line that ends a flood: how many of the same type and code were not logged. On an event that the `audit`
   * function gets: how many it did not get before this one, because it had ten thousand calls to answer.
   */
  readonly suppressed?: number
}

/** What a caller knows; `at` and quoting are added here, so that no caller can forget either. */
export type AuditEntry = {
  readonly type: AuditType
  readonly sessionId?: string | undefined
  readonly tokenId?: string | undefined
} & { readonly [Key in Exclude<Field, 'session' | 'token'>]?: AuditEvent[Key] | undefined }

/** The part of a pino logger that is used. */
export interface AuditLogger {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
