import { CloseCode, closeReasons, SecureWsError } from '../errors.ts'

/** RFC 6455 section 5.5: a control frame carries at most 125 bytes; a close frame spends two of them on its code. */
export const controlBytes = 125
export const closeReasonBytes = controlBytes - 2

/** RFC 6455 section 7.1.5: never on the wire, where a close frame without a code says it. */
export const noCode = 1005

/**
 * Cuts text to a number of UTF-8 bytes, at a code point: ws throws a RangeError on one byte too many, and half a character
 * makes the peer fail the connection with 1007.
 */
export function cutToBytes(text: string, limit: number): string {
  const whole = text.toWellFormed()
  if (Buffer.byteLength(whole) <= limit) return whole
  let bytes = 0
  let cut = ''
  for (const character of whole) {
    bytes += Buffer.byteLength(character)
    if (bytes > limit) break
    cut += character
  }
  return cut
}

/**
 * The text of a close frame that this package sends. It is fixed per code, with one exception: 1012 tells each client when
 * to come back, so that a restart is not followed by all of them at once.
 */
export function closeReason(code: CloseCode, retryAfter?: number): string {
  if (code !== CloseCode.ServiceRestart || retryAfter === undefined) return closeReasons[code]
  return `${closeReasons[code]}; retry after ${Math.round(retryAfter)} ms`
}

/** Codes an endpoint may put into a close frame (RFC 6455 section 7.4): what ws would throw on is not passed to it. */
export function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== noCode && code !== 1006
}

export function closedError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'This socket is closing or closed: nothing is sent on it any more.')
}
