import type { IncomingMessage } from 'node:http'

type Raw = Pick<IncomingMessage, 'rawHeaders' | 'headers'>

/**
 * Every line of a header, in order, as it was sent. Read from `rawHeaders`: the parsed `headers` keep the first of two
 * `Authorization` lines, join two `Cookie` lines, and inherit from a polluted `Object.prototype`.
 * `name` is in lower case. A request without `rawHeaders` (injectWS) is read from the own properties of `headers`.
 */
export function headerLines({ rawHeaders, headers }: Raw, name: string): readonly string[] {
  if (Array.isArray(rawHeaders)) {
    let lines: string[] | undefined
    for (let at = lineAt(rawHeaders, name); at !== -1; at = lineAt(rawHeaders, name, at + 2)) {
      const value = rawHeaders[at + 1] ?? ''
      // A list of one: one that grows has room for seventeen.
      if (lines === undefined) lines = [value]
      else lines.push(value)
    }
    return lines ?? none
  }
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined
  return value === undefined ? [] : [value].flat()
}

const none: readonly string[] = []

/**
 * The place of the next line of a header among names and values, or -1.
 *
 * @param name in lower case
 * @param from the place of a name, where the search begins
 */
export function lineAt(rawHeaders: readonly string[], name: string, from = 0): number {
  for (let at = from; at + 1 < rawHeaders.length; at += 2) {
    const key = rawHeaders[at]
    if (key?.length === name.length && isSameName(key, name)) return at
  }
  return -1
}

/**
 * Whether a header has this name, in whatever case: without a copy in lower case, as most headers are somebody else's.
 *
 * @param key what the parser of Node lets pass: without control characters
 * @param name letters in lower case and hyphens; as long as `key`
 */
export function isSameName(key: string, name: string): boolean {
  for (let at = 0; at < name.length; at++) if ((key.charCodeAt(at) | 0x20) !== name.charCodeAt(at)) return false
  return true
}
