import { SecureWsError } from '../errors.ts'

const leftByComponent = /[!'()*]/g

/**
 * Percent-encodes text for one component of a URL: a path segment, a query value, a fragment. Everything but letters,
 * digits and `- . _ ~` (RFC 3986 section 2.3) is encoded as UTF-8; a lone surrogate becomes U+FFFD.
 * Not for a whole URL, whose scheme decides: see `encodeWholeUrl`. Two segments need care that no encoding gives:
 * `.` and `..`. (OWASP XSS prevention, output encoding for URL contexts)
 */
export function encodeUrlComponent(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(leftByComponent, percentAscii)
}

const notInUrl = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#[\]@!$&()*+,;=%]+/g

/**
 * Encodes a whole URL that has passed `isSafeUrl`: what may not stand in a URL is percent-encoded, what is already
 * percent-encoded stays. The result has no quotes, spaces or angle brackets; `&` is a separator and stays.
 * @throws SecureWsError SWS_UNSAFE_URL
 */
export function encodeWholeUrl(url: string): string {
  if (!isSafeUrl(url)) throw unsafeUrl('A URL')
  return url
    .toWellFormed()
    .replace(notInUrl, (found) => encodeURIComponent(found).replace(leftByComponent, percentAscii))
}

// C0 controls and DEL: browsers drop tab, CR and LF inside a URL, and trim the rest at its ends ("java\tscript:").
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const repaired = /[\u0000-\u001f\u007f\\]|^ | $/
const schemeOf = /^([A-Za-z][A-Za-z0-9+.-]*):/
// `&` as well: a client that puts the URL into markup unencoded would read `&colon;` and `&#58;` as a colon.
const colonInFirstSegment = /^[^/?#]*[:&]/

/**
 * True for `http:` and `https:` with a host, `mailto:`, and references relative to the page. Everything a browser would
 * have to repair first is refused, because the repaired URL may be another one: control characters, backslashes, spaces
 * around it. `//host` is refused too: it looks relative and leaves the site. (ASVS 1.2.2; RFC 3986 section 4.2)
 */
export function isSafeUrl(url: string): boolean {
  if (repaired.test(url)) return false
  const scheme = schemeOf.exec(url)?.[1]?.toLowerCase()
  if (scheme === 'mailto') return true
  if (scheme === 'http' || scheme === 'https') return url.startsWith('//', scheme.length + 1) && URL.canParse(url)
  return !colonInFirstSegment.test(url) && !url.startsWith('//')
}

/** The URL itself is not in the text: it may be what a user wrote. */
export function unsafeUrl(what: string): SecureWsError {
  return new SecureWsError('SWS_UNSAFE_URL', `${what} must be http:, https:, mailto: or relative to the page`)
}

function percentAscii(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`
}
