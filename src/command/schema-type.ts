import { listOf, type Part, partOf } from './contract-document.ts'
import { comment, literal, memberName } from './source-text.ts'
import type { WrittenType } from './written-type.ts'
import * as types from './written-type.ts'

interface Writing {
  /** The name of the type that a reference stands for. */
  readonly nameOf: (pointer: string) => string
  readonly indent: string
  readonly depth: number
}

const deepest = 200

/**
 * Writes the TypeScript type of the values that a schema admits: never narrower than the schema, and as the libraries infer it.
 *
 * @throws Error for a schema that nests without end
 */
export function typeOf(schema: unknown, nameOf: Writing['nameOf'], indent = ''): WrittenType {
  return written(schema, { nameOf, indent, depth: 0 })
}

function written(schema: unknown, writing: Writing): WrittenType {
  if (schema === false) return types.neverType
  if (writing.depth > deepest) throw new Error(`A schema nests deeper than ${deepest}.`)
  const part = partOf(schema)
  const inside = { ...writing, depth: writing.depth + 1 }
  const composed = compositions(part, inside)
  const own = ownType(part, inside)
  // An object without members of its own says nothing beside another type.
  return types.intersectionOf(
    own === undefined || (own.text === '{}' && composed.length > 0) ? composed : [own, ...composed],
  )
}

/** Types that a value has beside the one that its own keywords say. */
function compositions(part: Part, writing: Writing): WrittenType[] {
  const found: WrittenType[] = []
  const ref = part.get('$ref')
  if (typeof ref === 'string') found.push(types.alone(writing.nameOf(ref)))
  for (const each of listOf(part.get('allOf'))) found.push(written(each, writing))
  for (const keyword of ['anyOf', 'oneOf']) {
    const branches = listOf(part.get(keyword))
    if (branches.length > 0) found.push(types.unionOf(branches.map((each) => written(each, writing))))
  }
  return found.filter(({ text }) => text !== 'unknown')
}

function ownType(part: Part, writing: Writing): WrittenType | undefined {
  if (part.has('const')) return literalType(part.get('const'))
  const values = part.get('enum')
  if (Array.isArray(values)) return types.unionOf(values.map(literalType))
  const given = part.get('type')
  // A branch of a union may leave out the type that stands beside the union.
  const implied = part.has('properties') ? ['object'] : []
  const each: readonly unknown[] = Array.isArray(given) ? given : given === undefined ? implied : [given]
  return each.length === 0 ? undefined : types.unionOf(each.map((type) => ofType(type, part, writing)))
}

function ofType(type: unknown, part: Part, writing: Writing): WrittenType {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return types.alone(type)
    case 'number':
    case 'integer':
      return types.alone('number')
    case 'array':
      return listType(part, writing)
    case 'object':
      return objectType(part, writing)
    default:
      return types.unknownType
  }
}

function listType(part: Part, writing: Writing): WrittenType {
  const items = part.get('items')
  if (!Array.isArray(items)) return types.listOfType(items === undefined ? types.unknownType : written(items, writing))
  const least = part.get('minItems')
  const first = items.map((item, index) => {
    const type = written(item, writing)
    return typeof least === 'number' && index < least ? type.text : `${types.single(type)}?`
  })
  const rest = part.get('additionalItems')
  if (rest !== false) first.push(`...${types.listOfType(written(rest, writing)).text}`)
  return types.alone(`[${first.join(', ')}]`)
}

function objectType(part: Part, writing: Writing): WrittenType {
  const required = new Set(listOf(part.get('required')))
  const inside = { ...writing, indent: `${writing.indent}  ` }
  const members = membersOf(part).map(([name, schema]) => {
    const description = partOf(schema).get('description')
    const above = typeof description === 'string' && description !== '' ? comment(description, inside.indent) : ''
    const mark = required.has(name) ? '' : '?'
    return `${above}${inside.indent}${memberName(name)}${mark}: ${written(schema, inside).text}`
  })
  const others = othersOf(part, members.length > 0, inside)
  if (others !== undefined) members.push(`${inside.indent}[name: string]: ${others.text}`)
  return types.alone(members.length === 0 ? '{}' : `{\n${members.join('\n')}\n${writing.indent}}`)
}

function membersOf(part: Part): [string, unknown][] {
  const named = [...partOf(part.get('properties'))]
  const names = namesIn(part)
  // A record of a few names: each is a member.
  return names === undefined
    ? named
    : [...named, ...names.map((name): [string, unknown] => [name, part.get('additionalProperties')])]
}

/** The names that `propertyNames` lists, one by one. */
function namesIn(part: Part): readonly string[] | undefined {
  const values = partOf(part.get('propertyNames')).get('enum')
  if (!Array.isArray(values) || partOf(part.get('additionalProperties')).size === 0) return undefined
  return values.filter((value) => typeof value === 'string')
}

/** The type of members that have no name of their own. Beside named ones it must be wide enough for them. */
function othersOf(part: Part, hasMembers: boolean, writing: Writing): WrittenType | undefined {
  if (namesIn(part) !== undefined) return undefined
  const patterns = [...partOf(part.get('patternProperties')).values()]
  const additional = part.get('additionalProperties')
  const open = additional !== false && additional !== undefined
  const schemas = open ? [...patterns, additional] : patterns
  if (schemas.length === 0) return undefined
  return hasMembers ? types.unknownType : types.unionOf(schemas.map((schema) => written(schema, writing)))
}

function literalType(value: unknown): WrittenType {
  if (typeof value === 'string') return types.alone(literal(value))
  if (typeof value === 'number') return types.alone(Number.isFinite(value) ? String(value) : 'number')
  if (typeof value === 'boolean' || value === null) return types.alone(String(value))
  if (Array.isArray(value)) return types.alone(`[${value.map((each) => literalType(each).text).join(', ')}]`)
  const members = [...partOf(value)].map(([name, member]) => `${memberName(name)}: ${literalType(member).text}`)
  return types.alone(members.length === 0 ? '{}' : `{ ${members.join('; ')} }`)
}
