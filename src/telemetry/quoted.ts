/**
 * What a client wrote, made harmless for a log line (ASVS 16.4.1): everything but printable ASCII is escaped (CR, LF, ANSI,
 * C1, bidi controls, look-alikes), and the rest is cut.
 */
export function quoted(text: string, limit = 256): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text
  return cut.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
