/** The elements of a comma-separated header, empty ones included: who asks decides what an empty element means. */
export function listElements(header: string): string[] {
  return header.split(',').map(withoutSpace)
}

/** Space and tab only: String.trim() would also remove 0xA0, which reaches us from the wire as it is. */
function withoutSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text, start)) start++
  while (end > start && isSpace(text, end - 1)) end--
  return text.slice(start, end)
}

function isSpace(text: string, index: number): boolean {
  const unit = text.charCodeAt(index)
  return unit === 0x20 || unit === 0x09
}
