const everyOther = /[^A-Za-z0-9]/g

/**
 * Encodes text for the inside of a quoted JavaScript string: everything but ASCII letters and digits becomes `\xHH` or
 * `\uHHHH`, per UTF-16 unit, so that the string has the same value.
 * Not enough outside quotes, in a template literal's `${}`, or where the string is evaluated again (`eval`, `setTimeout`
 * with text, `innerHTML`). In an event handler attribute the result still needs no HTML encoding.
 * (OWASP XSS prevention, output encoding for JavaScript contexts)
 */
export function encodeJs(text: string): string {
  return text.replace(everyOther, (unit) => {
    const code = unit.charCodeAt(0)
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
  })
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0')
}
