/** Writes a name as a step of a JSON pointer, as a URI fragment (RFC 6901 section 6). @throws URIError for half a surrogate pair */
export function stepTo(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))
}

/** The name that a step stands for; `undefined` for a step that is none: a `%` with no byte behind it. */
export function nameOf(step: string): string | undefined {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return undefined
  }
}
