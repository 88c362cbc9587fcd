/**
 * The same schema with the `type` that its keywords are about, wherever it has none: schemas without it are refused, and would make
 * these tests long.
 */
export function typed(schema: unknown): object {
  return typedOne(schema) as object
}

const kinds: readonly (readonly [type: string, keywords: readonly string[]])[] = [
  ['object', ['properties', 'patternProperties', 'additionalProperties', 'required', 'minProperties', 'maxProperties']],
  ['array', ['items', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems']],
  ['string', ['contentMediaType', 'format', 'pattern', 'minLength', 'maxLength']],
  ['number', ['minimum', 'maximum', 'multipleOf']],
]
const groups = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
const values = new Set(['const', 'enum', 'default', 'examples', 'required', 'type'])

function typedOne(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(typedOne)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy = Object.entries(schema).map(([keyword, value]): [string, unknown] => {
    if (values.has(keyword)) return [keyword, value]
    if (!groups.has(keyword)) return [keyword, typedOne(value)]
    return [keyword, Object.fromEntries(Object.entries(Object(value)).map(([name, each]) => [name, typedOne(each)]))]
  })
  const given = Object.fromEntries(copy)
  if (Array.isArray(given.items) && !('additionalItems' in given)) given.additionalItems = true
  if ('type' in given) return given
  const found = kinds.find(([, keywords]) => keywords.some((keyword) => Object.hasOwn(given, keyword)))
  return found === undefined ? given : { type: found[0], ...given }
}
