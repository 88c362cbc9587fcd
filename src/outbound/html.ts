const special = /[&<>"']/
const everySpecial = /[&<>"']/g

/** The five characters that can leave text or a quoted attribute, and how each is written instead. */
export const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Encodes text for HTML element content and for attribute values in quotes: `& < > " '`.
 * Not enough, whatever is encoded, in an unquoted attribute (use `attribute`), in `<script>` (`js`), in `<style>`
 * (`css`), in an event handler, or for the scheme of a URL. (OWASP XSS prevention, output encoding for HTML contexts)
 */
export function encodeHtml(text: string): string {
  return special.test(text) ? text.replace(everySpecial, (char) => htmlEntities[char] ?? '') : text
}
