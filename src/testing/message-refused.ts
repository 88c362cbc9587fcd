import type { MessageRefusalCode } from '../errors.ts'

/** A request that the server has refused. */
export class MessageRefused extends Error {
  /** Always `MessageRefused`. */
  override readonly name = 'MessageRefused'
  /** The code of [protocol.md](protocol.md). */
  readonly code: MessageRefusalCode
  /** Milliseconds to wait before the same may be sent again, with `SWS_TOO_FAST`. */
  readonly retryAfter: number | undefined
  /** The server's reason, as its audit event has it: no client is told. */
  readonly reason: string | undefined

  constructor(type: string, code: MessageRefusalCode, retryAfter: number | undefined, reason: string | undefined) {
    super(
      `The request \`${type}\` was refused: ${code}.${reason === undefined ? '' : ` The server says: ${reason}.`} ${wayOut(code)}`.trim(),
    )
    this.code = code
    this.retryAfter = retryAfter
    this.reason = reason
  }
}

function wayOut(code: MessageRefusalCode): string {
  return Object.hasOwn(ways, code) ? ways[code] : ''
}

const ways: Readonly<Record<MessageRefusalCode, string>> = {
  SWS_BAD_MESSAGE: 'Members of the body are JSON, each name once.',
  SWS_UNKNOWN_TYPE: 'Declare the type in `receives` of the route, or correct its name in the test.',
  SWS_INVALID_MESSAGE: 'The body does not fit `schema` of this type.',
  SWS_TOO_FAST: 'The test sends faster than `rate` of this type or `limits.messages` allow.',
  SWS_REPLAYED: 'Send a `nonce` that is new, and `at`, the time in ms.',
  SWS_STEP_UP_REQUIRED: 'Give the session of the test an `authenticatedAt` (ms) that is fresh.',
  SWS_FORBIDDEN: '`authorize` of this type did not answer `true` to this session.',
  SWS_BINARY_REFUSED: 'List the media type in `binary` of the route.',
  SWS_NO_LISTENER: 'The handler has no `socket.on` for this type.',
  SWS_TIMEOUT: 'The listener did not settle within `limits.listener`.',
  SWS_INTERNAL:
    'The listener threw, or returned a value that `reply` does not declare: its error is in the log as `err`.',
}
