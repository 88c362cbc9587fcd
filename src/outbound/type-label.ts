/**
 * A name for what is sent, of which there are a few: a declared type, or what kind of thing it is. The `type` of anything else may
 * be a client's own text.
 *
 * @param types those that the route declares
 */
export function typeLabel(value: unknown, types: ReadonlySet<string> | undefined): string {
  if (typeof value === 'string') return 'text'
  if (types === undefined) return 'other'
  try {
    const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
    return typeof type === 'string' && types.has(type) ? type : 'other'
  } catch {
    // A proxy of the application that answers nobody.
    return 'other'
  }
}
