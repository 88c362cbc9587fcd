/** The part of a document at a path, or nothing. */
export function schemaAt(document: unknown, path: readonly string[]): unknown {
  let found: unknown = document
  for (const name of path) {
    found =
      typeof found === 'object' && found !== null && Object.hasOwn(found, name) ? Reflect.get(found, name) : undefined
  }
  return found
}
