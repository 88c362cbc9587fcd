import { RefusedCredential, withoutOuterSpace } from './credential.ts'

/**
 * The value of one cookie, still percent-encoded; `undefined` when it was not sent. Two cookies of the name are refused in
 * either order: a sibling subdomain can plant one, and which of the two a parser believes is luck (RFC 6265 section 5.4).
 *
 * Names are compared byte for byte: only space and tab are removed around a pair, so a name that begins with another white
 * space, which some parsers trim to `__Host-...`, stays another name.
 */
export function cookieValue(lines: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (const line of lines) {
    for (let start = 0; start < line.length; ) {
      const semicolon = line.indexOf(';', start)
      const end = semicolon === -1 ? line.length : semicolon
      const pair = withoutOuterSpace(line.slice(start, end))
      start = end + 1
      if (!pair.startsWith(name) || pair.charCodeAt(name.length) !== 0x3d) continue
      if (found !== undefined) throw new RefusedCredential('two session cookies')
      found = pair.slice(name.length + 1)
    }
  }
  return found
}
