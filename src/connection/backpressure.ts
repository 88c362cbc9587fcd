/**
 * Tells whether this payload would take the socket over its bound. A string is counted in bytes only when its length alone
 * does not decide: one UTF-16 unit is one to three bytes.
 */
export function exceedsOutbound(
  waiting: number,
  payload: string | { readonly byteLength: number },
  bound: number,
): boolean {
  if (typeof payload !== 'string') return waiting + payload.byteLength > bound
  if (waiting + payload.length > bound) return true
  if (waiting + payload.length * 3 <= bound) return false
  return waiting + Buffer.byteLength(payload) > bound
}
