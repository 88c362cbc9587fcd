/** The steps that a received string may ask for, besides `contentMediaType: 'text/html'`. Each is linear in the text and idempotent. */
export const textSteps: ReadonlyMap<string, (text: string) => string> = new Map([
  ['strip-tags', stripTags],
  ['one-line', oneLine],
  ['trim', (text: string) => text.trim()],
])

const tagStart = /[A-Za-z/!?]/

/**
 * Removes everything an HTML tokenizer would read as a tag or a comment, and keeps what is between (the text of a `<script>` too:
 * it is text on the way out as well). No tag is left or newly made by the removal: `<<b>script>` becomes `script>`. What a tag
 * leaves open is removed to the end; `a < b` and `<3` stay.
 */
export function stripTags(text: string): string {
  let at = text.indexOf('<')
  if (at < 0) return text
  let kept = ''
  let from = 0
  while (at >= 0) {
    if (!tagStart.test(text.charAt(at + 1))) {
      at = text.indexOf('<', at + 1)
      continue
    }
    // A `<` that stood before the tag would meet what stood behind it. Each is dropped at most once, so this stays linear.
    let end = at
    while (end > from && text[end - 1] === '<') end--
    kept += text.slice(from, end)
    const comment = text.startsWith('<!--', at)
    const close = comment ? text.indexOf('-->', at + 2) : text.indexOf('>', at + 1)
    if (close < 0) return kept
    from = close + (comment ? 3 : 1)
    at = text.indexOf('<', from)
  }
  return kept + text.slice(from)
}

/** Every run of line breaks and control characters (C0, DEL, C1, U+2028, U+2029) becomes one space: log lines, names, subjects. */
export function oneLine(text: string): string {
  return text.replace(breaks, ' ')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is for
const breaks = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g
