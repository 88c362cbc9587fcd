import { badOption } from '../errors.ts'
import { checkPattern } from './pattern.ts'

/** A JSON Schema as plain own members. */
export type OutputSchema = { readonly [keyword: string]: unknown }

// What they declare depends on the value in a way no copy can follow, so they are refused rather than half obeyed.
const undecidable = [
  ...['if', 'then', 'else', 'dependencies', 'dependentSchemas', 'unevaluatedProperties', 'unevaluatedItems'],
  ...['$dynamicRef', '$recursiveRef', '$async', 'prefixItems', 'contentEncoding', 'contentSchema'],
]
const ofSchemas = new Set(['properties', 'patternProperties', '$defs', 'definitions'])
const ofValues = new Set(['const', 'enum', 'default', 'examples', 'required', 'type'])
const deepest = 64

/**
 * A copy of a schema in which every `$ref` is a pointer from its root and no `$id` is left: TypeBox refers to the parts
 * of a cyclic type by `$id`, and two messages may use the same one.
 * @throws SecureWsError SWS_BAD_OPTION for what this package does not obey
 */
export function copyOutputSchema(schema: unknown, path: string): OutputSchema {
  if (!isSchema(schema)) throw badOption(path, schema, "Write `Type.Object({ ... })` or `{ type: 'object', ... }`.")
  const ids = new Map<unknown, string>()
  collectIds(schema, '#', ids, 0)
  return copyOf(schema, path, 0) as OutputSchema

  function copyOf(part: unknown, at: string, depth: number): unknown {
    if (depth > deepest) throw badOption(at, '(a schema)', 'It contains itself or nests too deep: use $ref.')
    if (Array.isArray(part)) return part.map((each, index) => copyOf(each, `${at}.${index}`, depth + 1))
    if (!isSchema(part)) return part
    const refused = undecidable.find((keyword) => Object.hasOwn(part, keyword))
    if (refused !== undefined) throw badOption(`${at}.${refused}`, part[refused], 'Leave it out of an output schema.')
    const copy: Record<string, unknown> = {}
    for (const [keyword, value] of Object.entries(part)) {
      const below = `${at}.${keyword}`
      if (keyword === '$id' || keyword === '$schema') continue
      if (keyword === 'pattern') checkPattern(value, part.maxLength, below)
      if (keyword === 'patternProperties') {
        for (const pattern of Object.keys(value ?? {}))
          checkPattern(pattern, undefined, `${below}[${JSON.stringify(pattern)}]`)
      }
      if (keyword === '$ref') copy.$ref = ids.get(String(value)) ?? value
      else if (ofValues.has(keyword)) copy[keyword] = value
      else if (ofSchemas.has(keyword) && isSchema(value)) {
        copy[keyword] = Object.fromEntries(
          Object.entries(value).map(([name, each]) => [name, copyOf(each, `${below}.${name}`, depth + 1)]),
        )
      } else copy[keyword] = copyOf(value, below, depth + 1)
    }
    return copy
  }
}

function collectIds(part: unknown, pointer: string, ids: Map<unknown, string>, depth: number): void {
  if (typeof part !== 'object' || part === null || depth > deepest) return
  if ('$id' in part) ids.set(part.$id, pointer)
  for (const [name, each] of Object.entries(part)) collectIds(each, `${pointer}/${stepInto(name)}`, ids, depth + 1)
}

/** One step of a JSON pointer, as a URI fragment (RFC 6901 section 6). */
export function stepInto(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))
}

export function pointedAt(root: OutputSchema, pointer: string): unknown {
  if (pointer !== '#' && !pointer.startsWith('#/')) return undefined
  let found: unknown = root
  for (const step of pointer.split('/').slice(1)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = Reflect.get(found, name)
  }
  return found
}

export function isSchema(value: unknown): value is OutputSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
