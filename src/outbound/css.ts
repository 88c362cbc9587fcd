const everyOther = /[^A-Za-z0-9]/gu

/**
 * Encodes text for a CSS value, quoted or not: everything but ASCII letters and digits becomes a backslash and six hex
 * digits. Six, because a shorter escape would swallow a hex digit or a space that follows it. CSS cannot express NUL or
 * a lone surrogate; both become U+FFFD.
 * Not enough in a property name, a selector, or inside `url()`, where the scheme decides.
 * (OWASP XSS prevention, output encoding for CSS contexts; CSS Syntax Level 3 section 4.3.7)
 */
export function encodeCss(text: string): string {
  return text.replace(everyOther, (char) => {
    const code = char.codePointAt(0) ?? 0
    const inexpressible = code === 0 || (code >= 0xd800 && code <= 0xdfff)
    return `\\${(inexpressible ? 0xfffd : code).toString(16).toUpperCase().padStart(6, '0')}`
  })
}
