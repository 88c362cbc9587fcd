const everyOther = /[^A-Za-z0-9]/gu

/**
 * Encodes text for an HTML attribute value, even one without quotes: everything but ASCII letters and digits becomes
 * `&#xHH;`. What no character reference can express in HTML (NUL, a lone surrogate, and U+0080 to U+009F, which browsers
 * read as windows-1252) becomes U+FFFD.
 * Not enough for `href` and `src` (the scheme decides, use `url`), `style`, `srcdoc` and event handlers.
 * (OWASP XSS prevention, output encoding for HTML attribute contexts)
 */
export function encodeAttribute(text: string): string {
  return text.replace(everyOther, (char) => {
    const code = char.codePointAt(0) ?? 0
    const inexpressible = code === 0 || (code >= 0x80 && code <= 0x9f) || (code >= 0xd800 && code <= 0xdfff)
    return `&#x${(inexpressible ? 0xfffd : code).toString(16).toUpperCase()};`
  })
}
