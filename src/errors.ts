/**
 * Every code a user, a client or an operator can meet. Three tables, so that a number or a word is written once:
 * refused handshakes, refused messages, closed connections.
 */

/** Handshakes refused before the upgrade: HTTP status and the generic text of the body. The reason goes to the audit event. */
export const handshakeRefusals = {
  SWS_UPGRADE_REQUIRED: { status: 426, error: 'Upgrade Required' },
  SWS_BAD_HANDSHAKE: { status: 400, error: 'Bad Request' },
  SWS_NOT_A_SOCKET_ROUTE: { status: 404, error: 'Not Found' },
  SWS_INSECURE_TRANSPORT: { status: 426, error: 'Upgrade Required' },
  SWS_HOST_REFUSED: { status: 421, error: 'Misdirected Request' },
  SWS_ORIGIN_REFUSED: { status: 403, error: 'Forbidden' },
  SWS_FETCH_METADATA_REFUSED: { status: 403, error: 'Forbidden' },
  SWS_TOO_MANY_CONNECTIONS: { status: 503, error: 'Service Unavailable' },
  SWS_TOO_MANY_HANDSHAKES: { status: 429, error: 'Too Many Requests' },
  SWS_UNAUTHENTICATED: { status: 401, error: 'Unauthorized' },
  SWS_FORBIDDEN: { status: 403, error: 'Forbidden' },
  SWS_HANDSHAKE_TIMEOUT: { status: 503, error: 'Service Unavailable' },
  SWS_UNAVAILABLE: { status: 503, error: 'Service Unavailable' },
} as const
/** The code of a refused handshake. */
export type HandshakeRefusalCode = keyof typeof handshakeRefusals

/** Messages refused on an open socket: the `code` of `{ "type": "error", "code", "id"? }`. The socket stays open. */
export const messageRefusals = [
  'SWS_BAD_MESSAGE', // not a UTF-8 JSON object with a string `type`, or built to confuse a parser
  'SWS_UNKNOWN_TYPE', // a type the route does not declare
  'SWS_INVALID_MESSAGE', // the declared schema says no
  'SWS_TOO_FAST', // over a rate
  'SWS_REPLAYED', // nonce seen, or `at` outside the window
  'SWS_STEP_UP_REQUIRED', // the session must authenticate again first
  'SWS_FORBIDDEN', // the message's `authorize` says no
  'SWS_BINARY_REFUSED', // a binary frame the route does not allow
  'SWS_NO_LISTENER', // declared, but no listener is attached
  'SWS_TIMEOUT', // a listener did not settle within `limits.listener`
  'SWS_INTERNAL', // our side failed: a listener or a check threw
] as const
/** The code of a refused message. */
export type MessageRefusalCode = (typeof messageRefusals)[number]

/**
 * Close codes this package uses (RFC 6455 section 7.4.1; 3000, 3003 and 3008 are IANA-registered; 4429 is ours).
 * A client may reconnect after 1001, 1011, 1012, 1013, 3008 and 4429; after 3000 once it has authenticated again.
 */
export const CloseCode = {
  /** 1001: the server goes away. */
  GoingAway: 1001,
  /** 1003: a binary frame where none may come, or of a media type that is not listed. */
  UnsupportedData: 1003,
  /** 1007: a text frame that is not UTF-8. */
  InvalidPayload: 1007,
  /** 1008: too many refused messages, a message that may not be sent, a place taken by a newer connection. */
  PolicyViolation: 1008,
  /** 1009: a message over `limits.messageBytes`. */
  MessageTooBig: 1009,
  /** 1011: the handler failed, or listeners kept failing. */
  InternalError: 1011,
  /** 1012: the server stops; the reason says how long to wait. */
  ServiceRestart: 1012,
  /** 1013: the client reads too slowly, or revalidation keeps failing. */
  TryAgainLater: 1013,
  /** 3000: the session has expired or was revoked. */
  Unauthorized: 3000,
  /** 3003: `authorize` says no now. */
  Forbidden: 3003,
  /** 3008: a pong, the rest of a message or any message was too late, or `limits.lifetime` is over. */
  Timeout: 3008,
  /** 4429: too many messages over a rate. */
  TooFast: 4429,
} as const
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** The reason text of each close code: fixed, so that a close frame never tells an attacker more than its number. */
export const closeReasons: Readonly<Record<CloseCode, string>> = {
  1001: 'going away',
  1003: 'unsupported data',
  1007: 'invalid payload',
  1008: 'policy violation',
  1009: 'message too big',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  3000: 'unauthorized',
  3003: 'forbidden',
  3008: 'timeout',
  4429: 'too fast',
}

/** Mistakes of the person who writes the server: thrown at registration, or at the call that made them. */
export type SecureWsErrorCode =
  | 'SWS_BAD_OPTION'
  | 'SWS_UNSAFE_OPTIONS'
  | 'SWS_WEBSOCKET_ALREADY_REGISTERED'
  | 'SWS_NOT_ENCODABLE'
  | 'SWS_UNDECLARED_TYPE'
  | 'SWS_INVALID_OUTPUT'
  | 'SWS_UNSAFE_TEMPLATE'
  | 'SWS_UNSAFE_URL'
  | 'SWS_SANITIZE_REFUSED'
  | 'SWS_INTERNAL'
  | 'SWS_BAD_ROOM'
  | 'SWS_TOO_MANY_ROOMS'
  | 'SWS_UNSUPPORTED'
  | 'SWS_LOADED_TWICE'
  | 'SWS_BUNDLED'
  | 'SWS_UNSUPPORTED_WS'
  | 'SWS_UNGUARDED_ROUTE'
  | 'SWS_NO_SESSION'
  | 'SWS_UNAUTHENTICATED'
  | 'SWS_UNAVAILABLE'
  | 'SWS_CLOSED'
  | 'SWS_BAD_SUBJECT'
  | 'SWS_NO_ANSWER'
  | 'SWS_DECLINED'
  | 'SWS_INVALID_ANSWER'
  | 'SWS_TOO_MANY_REQUESTS'

/** Errors that a route of the application lets through on purpose; any other one is its own fault, a 500. */
const statusCodes: ReadonlyMap<SecureWsErrorCode, number> = new Map([
  ['SWS_NO_SESSION', 401],
  ['SWS_UNAUTHENTICATED', handshakeRefusals.SWS_UNAUTHENTICATED.status],
  ['SWS_UNAVAILABLE', handshakeRefusals.SWS_UNAVAILABLE.status],
])

/** The one error class of this package. `code` is stable; `message` names what to change and what to write instead. */
export class SecureWsError extends Error {
  /** Always `SecureWsError`. */
  override readonly name = 'SecureWsError'
  /** A stable name: see `SecureWsErrorCode`. */
  readonly code: SecureWsErrorCode
  /** The status that Fastify answers with when a route handler lets the error through; `undefined` means 500. */
  readonly statusCode: number | undefined

  constructor(code: SecureWsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.statusCode = statusCodes.get(code)
  }
}

/** A wrong option: its full path, the value that was given, and what to write instead. */
export function badOption(path: string, value: unknown, advice: string): SecureWsError {
  return new SecureWsError('SWS_BAD_OPTION', `fastify-secure-ws: option \`${path}\` is ${show(value)}. ${advice}`)
}

function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol' || typeof value === 'bigint') return String(value)
  try {
    const text = JSON.stringify(value) ?? typeof value
    return text.length > 120 ? `${text.slice(0, 117)}...` : text
  } catch {
    return `a ${typeof value}`
  }
}
