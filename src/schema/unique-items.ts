/**
 * Tells whether no two items are equal as JSON Schema has it: `1` is not `"1"`, and the order of members says nothing. Each item is
 * looked at once, and no name of an item is ever a key of an object (ajv loses `__proto__` that way).
 */
export function areUnique(items: readonly unknown[], canonical: (item: object) => string = canonicalOf): boolean {
  const seen = new Set<unknown>()
  for (const item of items) {
    // Among the keys, a string of the message must not be taken for the text of an object.
    seen.add(typeof item === 'string' ? `s${item}` : typeof item === 'object' && item !== null ? canonical(item) : item)
  }
  return seen.size === items.length
}

/** The same text for equal values, their members in order of their names; for no object or list does it begin with `s`. */
export function canonicalOf(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
    return Object.entries(member)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .reduce((sorted, [name, each]) => {
        Object.defineProperty(sorted, name, { value: each, enumerable: true, configurable: true })
        return sorted
      }, {})
  })
}
