import { keywords } from '../schema/keywords.ts'
import type { PlainSchema } from '../schema/plain-schema.ts'
import { isSchema, takesObjects } from '../schema/plain-schema.ts'

/** The place of a schema that is being rewritten. */
interface Place {
  readonly root: PlainSchema
  /** The place of `root` in the document, which its references start with. */
  readonly base: string
  /** Whether no other schema says anything of the same value: then an object has the members that it declares, and no more. */
  readonly sole: boolean
}

/**
 * Rewrites a copied schema (`copySchema`) as JSON Schema draft 7, which is what AsyncAPI reads: what our dialect means without
 * saying it (no more members than are declared) is said, and references point into the document. What draft 7 cannot say is left
 * out, so the result may let in more than the server does, and never less.
 *
 * @param base pointer to the place of this schema in the document, such as `#/components/schemas/say`
 */
export function portableSchema(schema: PlainSchema, base: string): PlainSchema {
  return portable(schema, { root: schema, base, sole: true })
}

/** Keywords that have no place in the document, or another name there. */
const rewritten: ReadonlySet<string> = new Set([
  ...['$comment', '$ref', 'nullable', 'type', 'sanitize', 'contains', 'minContains', 'maxContains'],
  ...['dependentRequired', 'dependentSchemas', 'unevaluatedProperties'],
])

const notes: ReadonlySet<string> = new Set(
  [...keywords].filter(([, { inward }]) => inward.startsWith('nothing')).map(([name]) => name),
)
const compositions = ['$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas', 'unevaluatedProperties']

function portable(schema: PlainSchema, { root, base, sole: alone }: Place): PlainSchema {
  const asks = Object.keys(schema).filter((keyword) => !notes.has(keyword) && keyword !== '$comment')
  const isReference = asks.every((keyword) => keyword === '$ref' || keyword === '$defs' || keyword === 'definitions')
  const sole = alone && !compositions.some((keyword) => Object.hasOwn(schema, keyword))
  const inside = { root, base, sole }
  const out = new Map<string, unknown>()
  for (const [keyword, value] of Object.entries(schema)) {
    if (!rewritten.has(keyword))
      out.set(keyword, below(keyword, value, { ...inside, sole: sole && hasParts(keyword, schema) }))
  }
  if (schema.type !== undefined) out.set('type', schema.nullable === true ? withNull(schema.type) : schema.type)
  if (schema.sanitize !== undefined) out.set('x-sanitize', schema.sanitize)
  // `minContains: 0` asks nothing, and draft 7 would not know it.
  if (schema.contains !== undefined && schema.minContains !== 0) {
    out.set('contains', either(schema.contains, { ...inside, sole: false }))
  }
  const together = dependencies(schema, { ...inside, sole: false })
  if (together !== undefined) out.set('dependencies', together)
  if (typeof schema.$ref === 'string') {
    const reference = { $ref: base + schema.$ref.slice(1) }
    // Beside a `$ref` draft 7 reads nothing.
    if (isReference && out.size === 0) return reference
    out.set('allOf', [...listed(out.get('allOf')), reference])
  }
  if (sole && schema.additionalProperties === undefined && takesObjects(schema, root)) {
    out.set('additionalProperties', false)
  }
  return Object.fromEntries(out)
}

/** Keywords of a schema that say all there is to say of the parts of a value. */
function hasParts(keyword: string, schema: PlainSchema): boolean {
  if (keyword === 'items' || keyword === 'additionalItems') return true
  const [patterns, properties] = [sizeOf(schema.patternProperties), sizeOf(schema.properties)]
  if (keyword === 'additionalProperties') return true
  return (
    (keyword === 'properties' && patterns === 0) ||
    (keyword === 'patternProperties' && patterns === 1 && properties === 0)
  )
}

function sizeOf(value: unknown): number {
  return isSchema(value) ? Object.keys(value).length : 0
}

function below(keyword: string, value: unknown, place: Place): unknown {
  const role = keywords.get(keyword)?.role
  if (role === undefined) return value
  if (Array.isArray(value)) return value.map((each) => either(each, place))
  const grouped = role === 'members' || role === 'dependents' || role === 'definitions'
  return grouped ? eachOf(value, place) : either(value, place)
}

function either(schema: unknown, place: Place): unknown {
  return isSchema(schema) ? portable(schema, place) : schema
}

function eachOf(schemas: unknown, place: Place): PlainSchema {
  const entries = isSchema(schemas) ? Object.entries(schemas) : []
  return Object.fromEntries(entries.map(([name, each]) => [name, either(each, place)]))
}

/** In draft 7 both kinds are one keyword, and a name that has both needs a schema that says both. */
function dependencies(schema: PlainSchema, place: Place): PlainSchema | undefined {
  const { dependentRequired: names, dependentSchemas: schemas } = schema
  if (!isSchema(names)) return isSchema(schemas) ? eachOf(schemas, place) : undefined
  const merged = new Map<string, unknown>(Object.entries(eachOf(schemas, place)))
  for (const [name, required] of Object.entries(names)) {
    const other = merged.get(name)
    merged.set(name, other === undefined ? required : { allOf: [other, { required }] })
  }
  return Object.fromEntries(merged)
}

function withNull(type: unknown): unknown {
  const types = listed(type)
  return types.includes('null') ? type : [...types, 'null']
}

function listed(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

/** Whether a copied schema refers to a part of itself. */
export function hasReference(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false
  // A property may have this name: its value is a schema and no text.
  if (typeof Reflect.get(schema, '$ref') === 'string') return true
  return Object.values(schema).some(hasReference)
}
