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

/** Lower case is made of a name only when its first letter is the right one. */
function isSameName(key: string, name: string): boolean {
  return (key.charCodeAt(0) | 0x20) === name.charCodeAt(0) && key.toLowerCase() === name
}
