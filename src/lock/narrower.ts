import { isMembers, isNumber, same } from './judge.ts'

type Schema = ReadonlyMap<string, unknown>

/** Keywords that ask nothing of a value. */
const notes = new Set([
  'title',
  'description',
  '$comment',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
])

/** Keywords that may be added, and neither changed nor taken away. */
const onlyAdded = new Set(['pattern', 'format', 'multipleOf', 'uniqueItems', 'sanitize', 'const'])
const upperBounds = new Set(['maxLength', 'maximum', 'exclusiveMaximum', 'maxItems', 'maxProperties'])
const lowerBounds = new Set(['minLength', 'minimum', 'exclusiveMinimum', 'minItems', 'minProperties'])
const byThemselves = new Set(['properties', 'additionalProperties', 'required', 'items', 'type', 'enum', 'nullable'])

const compositions = [
  '$ref',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentSchemas',
  'unevaluatedProperties',
]

/**
 * Says of two copied schemas whether each value that the later one admits is one that the earlier one admits: true only
 * where that is certain. Schemas that combine others are certain when they are the same, or have lost a branch of an `anyOf`.
 */
export function isNarrower(before: unknown, after: unknown): boolean {
  if (after === false || before === true || same(plain(before), plain(after))) return true
  const [was, is] = [members(before), members(after)]
  if (was === undefined || is === undefined) return false
  const asks = (schema: Schema) => [...schema.keys()].filter((name) => !notes.has(name))
  if (asks(was).length === 0) return true
  // What several schemas say of one object decides which members are declared: a smaller part of it may let in more.
  if (compositions.some((name) => was.has(name) || is.has(name))) return lostBranches(was, is)
  return [...new Set([...asks(was), ...asks(is)])].every((name) => isKeptBy(name, was, is))
}

function isKeptBy(name: string, was: Schema, is: Schema): boolean {
  const [before, after] = [was.get(name), is.get(name)]
  if (onlyAdded.has(name)) return before === undefined || same(before, after)
  if (upperBounds.has(name)) return before === undefined || (isNumber(after) && isNumber(before) && after <= before)
  if (lowerBounds.has(name)) return before === undefined || (isNumber(after) && isNumber(before) && after >= before)
  if (!byThemselves.has(name)) return same(plain(before), plain(after))
  switch (name) {
    case 'type':
      return before === undefined || typesOf(is).every((type) => admits(typesOf(was), type))
    case 'nullable':
      return after !== true || before === true || admits(typesOf(was), 'null')
    case 'enum':
      return (
        before === undefined ||
        valuesOf(is)?.every((value) => listOf(before).some((each) => same(each, value))) === true
      )
    case 'required':
      return listOf(before).every((each) => listOf(after).includes(each))
    case 'items':
      if (before === undefined || same(plain(before), plain(after))) return true
      return !Array.isArray(before) && !Array.isArray(after) && isNarrower(before, after ?? true)
    default:
      // Both are about members: looked at once for the two of them.
      return membersNarrower(was, is)
  }
}

/** An object has the members that it declares; others where `additionalProperties` says so. */
function membersNarrower(was: Schema, is: Schema): boolean {
  // Members that a pattern names have its schema besides, and a change beside patterns is not looked through.
  if (was.has('patternProperties') || is.has('patternProperties')) {
    return ['properties', 'additionalProperties'].every((name) => same(plain(was.get(name)), plain(is.get(name))))
  }
  const [were, are] = [members(was.get('properties')) ?? new Map(), members(is.get('properties')) ?? new Map()]
  const [othersWere, othersAre] = [was.get('additionalProperties') ?? false, is.get('additionalProperties') ?? false]
  const narrower = (name: string) =>
    isNarrower(were.has(name) ? were.get(name) : othersWere, are.has(name) ? are.get(name) : othersAre)
  return isNarrower(othersWere, othersAre) && [...new Set([...were.keys(), ...are.keys()])].every(narrower)
}

/** Fewer branches of an `anyOf`, and nothing else: fewer values, and no more members that are declared. */
function lostBranches(was: Schema, is: Schema): boolean {
  const [before, after] = [was.get('anyOf'), is.get('anyOf')]
  if (!Array.isArray(before) || !Array.isArray(after) || after.length === 0) return false
  const rest = (schema: Schema) => plain(Object.fromEntries([...schema].filter(([name]) => name !== 'anyOf')))
  return same(rest(was), rest(is)) && after.every((branch) => before.some((known) => same(plain(known), plain(branch))))
}

/** A schema without its notes, so that a comment is no change. */
function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain)
  const found = members(schema)
  if (found === undefined) return schema
  return Object.fromEntries(
    [...found]
      .filter(([name]) => !notes.has(name))
      .map(([name, value]) => [
        name,
        name === 'const' || name === 'enum' ? value : holdsNames.has(name) ? eachPlain(value) : plain(value),
      ]),
  )
}

/** Keywords with names of members in them: `description` is one like any other there. */
const holdsNames = new Set([
  'properties',
  'patternProperties',
  'dependentSchemas',
  'dependentRequired',
  '$defs',
  'definitions',
])

function eachPlain(schemas: unknown): unknown {
  const found = members(schemas)
  return found === undefined ? schemas : Object.fromEntries([...found].map(([name, each]) => [name, plain(each)]))
}

function members(value: unknown): Schema | undefined {
  return isMembers(value) ? new Map(Object.entries(value)) : undefined
}

function typesOf(schema: Schema): readonly unknown[] {
  const type = schema.get('type')
  if (type === undefined) return ['null', 'boolean', 'number', 'string', 'array', 'object']
  return Array.isArray(type) ? type : [type]
}

function admits(types: readonly unknown[], type: unknown): boolean {
  return types.includes(type) || (type === 'integer' && types.includes('number'))
}

function valuesOf(schema: Schema): readonly unknown[] | undefined {
  if (schema.has('const')) return [schema.get('const')]
  const values = schema.get('enum')
  return Array.isArray(values) ? values : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
