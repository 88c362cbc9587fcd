import type { HandshakeRefusalCode, MessageRefusalCode } from '../errors.ts'

/** The codes of a request or a message that came to nothing: those of the server, and four of the client's own. */
export type ClientErrorCode =
  | MessageRefusalCode
  | HandshakeRefusalCode
  | 'SWS_LOST'
  | 'SWS_NO_ANSWER'
  | 'SWS_NOT_OPEN'
  | 'SWS_CLOSED'

/** The one error class of the client. Compare `code`; a program that loads the package twice has two of these classes. */
export class ClientError extends Error {
  /** Always `ClientError`. */
  override readonly name = 'ClientError'
  /** A stable name. A server newer than this client may send one that is not in the type. */
  readonly code: ClientErrorCode
  /** Milliseconds to wait before the same may be sent again, where the server said so (`SWS_TOO_FAST`). */
  readonly retryAfter: number | undefined

  constructor(code: ClientErrorCode, retryAfter?: number) {
    super(code)
    this.code = code
    this.retryAfter = retryAfter
  }
}
