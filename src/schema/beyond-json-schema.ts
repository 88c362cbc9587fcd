/** A part of a schema that JSON Schema does not carry. */
export interface Beyond {
  readonly kind: 'refinement' | 'transform' | 'default' | 'flags'
  /** The path from the message down: `.author.name`. Empty where the library does not say. */
  readonly at: string
}

/** Kinds of zod schemas whose whole meaning is in their JSON Schema, or in a part of them that is looked at as well. */
const carriedByZod: ReadonlySet<unknown> = new Set([
  ...['string', 'number', 'int', 'boolean', 'null', 'any', 'unknown', 'never', 'literal', 'enum', 'template_literal'],
  ...['array', 'object', 'tuple', 'record', 'union', 'intersection', 'optional', 'nullable', 'nonoptional', 'lazy'],
  'readonly',
])

const defaultsOfZod: ReadonlySet<unknown> = new Set(['default', 'prefault', 'catch'])

const checksOfZod: ReadonlySet<unknown> = new Set([
  ...['min_length', 'max_length', 'length_equals', 'string_format'],
  ...['greater_than', 'less_than', 'multiple_of', 'number_format'],
])

/** zod writes no word of a refinement, a trim or a coercion into its JSON Schema, so its own definition is read. */
export function beyondZod(schema: unknown, at = '', seen: Set<unknown> = new Set()): Beyond | undefined {
  const definition = definitionOf(schema)
  if (definition === undefined || seen.has(schema)) return undefined
  seen.add(schema)
  const { type, coerce, checks } = definition
  if (defaultsOfZod.has(type)) return { kind: 'default', at }
  if (!carriedByZod.has(type) || coerce === true) return { kind: 'transform', at }
  const made: readonly unknown[] = Array.isArray(checks) ? checks : []
  // A format may be the schema itself: `z.url()`.
  for (const check of [...('check' in definition ? [definition] : []), ...made.map(definitionOf)]) {
    const kind = beyondCheck(check ?? {})
    if (kind !== undefined) return { kind, at }
  }
  for (const [below, part] of partsOf(definition)) {
    const found = beyondZod(part, `${at}${below}`, seen)
    if (found !== undefined) return found
  }
  return undefined
}

/** Of `z.url({ protocol: /^https$/ })` zod writes that it is a URL, and of `/^[^a]$/i` what stands between the slashes. */
function beyondCheck(check: Readonly<Record<string, unknown>>): Beyond['kind'] | undefined {
  if (check.check === 'overwrite' || check.normalize === true) return 'transform'
  const { fn, pattern, protocol, hostname } = check
  const asksMore = (fn !== undefined && pattern === undefined) || protocol !== undefined || hostname !== undefined
  if (!checksOfZod.has(check.check) || asksMore) return 'refinement'
  return isFlagged(Reflect.get(Object(pattern), 'flags')) ? 'flags' : undefined
}

/** A pattern in JSON Schema is read with `u`; neither `d` nor `g` says anything of what matches. */
function isFlagged(flags: unknown): boolean {
  return typeof flags === 'string' && /[^dgu]/.test(flags)
}

function definitionOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return undefined
  const internals: unknown = Reflect.get(schema, '_zod')
  return typeof internals === 'object' && internals !== null ? Reflect.get(internals, 'def') : undefined
}

function partsOf(definition: Readonly<Record<string, unknown>>): [at: string, part: unknown][] {
  const { shape, items, options, getter } = definition
  const parts: [string, unknown][] = Object.entries(shape ?? {}).map(([name, part]) => [`.${name}`, part])
  for (const list of [items, options]) if (Array.isArray(list)) for (const part of list) parts.push(['', part])
  for (const name of ['element', 'rest', 'catchall', 'left', 'right', 'keyType', 'valueType', 'innerType']) {
    parts.push(['', definition[name]])
  }
  if (typeof getter === 'function') parts.push(['', getter()])
  return parts
}

/**
 * arktype leaves narrows and morphs out of what it offers as Standard JSON Schema; its own method throws at the first of them, and
 * leaves out the flags of an expression, too.
 */
export function beyondArktype(schema: unknown): Beyond | undefined {
  const convert: unknown = Reflect.get(Object(schema), 'toJsonSchema')
  if (typeof convert !== 'function') return undefined
  try {
    Reflect.apply(convert, schema, [])
    return hasFlags(Reflect.get(Object(schema), 'json')) ? { kind: 'flags', at: '' } : undefined
  } catch (error) {
    const morphs = error instanceof Error && /code: "morph"/.test(error.message)
    return { kind: morphs ? 'transform' : 'refinement', at: '' }
  }
}

/** Looks through arktype's own words for a schema, in which a pattern is a rule with its flags. */
function hasFlags(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false
  if (Object.hasOwn(part, 'rule') && isFlagged(Reflect.get(part, 'flags'))) return true
  return Object.values(part).some(hasFlags)
}
