/**
 * Says whether a schema has a string of HTML anywhere, in use or not: then the sanitizer is tried before the server listens.
 * Schemas are deep only as far as their author wrote them, and may refer to themselves as objects.
 */
export function declaresHtml(schema: unknown, seen: Set<unknown> = new Set()): boolean {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return false
  seen.add(schema)
  if (Reflect.get(schema, 'contentMediaType') === 'text/html') return true
  return Object.values(schema).some((below) => declaresHtml(below, seen))
}
