import { badOption } from '../errors.ts'
import { closest } from '../option-checks.ts'
import { nameOf, stepTo } from './json-pointer.ts'
import { checkBeside, checkKeywordValue } from './keyword-value.ts'
import { type Keyword, keywords, refusedKeywords } from './keywords.ts'
import { checkPattern } from './pattern.ts'
import { textSteps } from './sanitize-text.ts'

/** A JSON Schema as plain own data: what ajv compiles, what the cleaning plan is read from. */
export interface PlainSchema {
  readonly [keyword: string]: unknown
}

/** The formats of a URL. On the way out its scheme is checked as well (`outbound/url.ts`). */
export const urlFormats: ReadonlySet<unknown> = new Set(['uri', 'uri-reference', 'iri', 'iri-reference', 'url'])

const knownDrafts = /^https?:\/\/json-schema\.org\/(?:draft-0[67]|draft\/2019-09|draft\/2020-12)\/schema#?$/
const deepest = 64

/** The place that the copying has got to. */
interface Position {
  /** For the error: the option's path. */
  readonly path: string
  /** For `$ref`: the JSON pointer from the root, as a URI fragment. */
  readonly pointer: string
  readonly depth: number
  /** `$id`s of the definitions in sight, and where they are. */
  readonly ids: ReadonlyMap<string, string>
  readonly inQuestion: boolean
  /** Inside a definition with an `$id`, `#` would mean that definition: refused there, because nobody would expect it. */
  readonly inNamed: boolean
  /** For what goes out: an object of ours may have a member `__proto__`, a message of a client may not. */
  readonly outward: boolean
  /** Every `$ref` so far, to be followed when the copy is whole. */
  readonly refs: { readonly pointer: string; readonly path: string }[]
}

/**
 * A copy that is own, plain JSON, with every `$ref` a pointer into it: what the author's objects become later changes nothing.
 * Refuses what this package will not, or cannot, check.
 *
 * @throws SWS_BAD_OPTION with the path of the keyword
 */
export function copySchema(schema: unknown, path: string, outward: boolean): PlainSchema {
  if (!isSchema(schema)) {
    throw badOption(
      path,
      schema,
      "Write an object schema, as `Type.Object({ text: Type.String() })` or `{ type: 'object', ... }`.",
    )
  }
  const refs: Position['refs'] = []
  const position = { path, pointer: '#', depth: 0, ids: new Map(), inQuestion: false, inNamed: false }
  const copy = copyOne(schema, { ...position, outward, refs })
  for (const ref of refs) {
    if (followRef(ref.pointer, copy) !== undefined) continue
    throw badOption(ref.path, ref.pointer, 'This `$ref` points at nothing in the schema.')
  }
  return copy
}

function copyOne(schema: PlainSchema, at: Position): PlainSchema {
  if (at.depth > deepest)
    throw badOption(at.path, '(a schema)', `It nests deeper than ${deepest}, or contains itself: use \`$ref\`.`)
  for (const mark of ['~refine', '~codec']) {
    if (Object.hasOwn(schema, mark)) {
      throw badOption(
        at.path,
        mark,
        'Refinements and codecs are functions outside JSON Schema and would not run: check in `authorize`, or in the listener.',
      )
    }
  }
  const named = at.depth > 0 && typeof schema.$id === 'string'
  const here: Position = { ...at, ids: withIds(schema, at), inNamed: at.inNamed || named }
  checkBeside(schema, at.path)
  const copy: [string, unknown][] = []
  for (const [keyword, value] of Object.entries(schema)) {
    const below = step(here, keyword)
    const kept = copyKeyword(keyword, value, schema, below)
    if (kept === undefined) continue
    copy.push([keyword, kept])
  }
  return Object.fromEntries(copy)
}

/** `undefined`: the keyword has done its work and is not copied. */
function copyKeyword(keyword: string, value: unknown, schema: PlainSchema, at: Position): unknown {
  const { role } = keywordOf(keyword, value, at)
  checkKeywordValue(keyword, value, schema, at.path)
  if (role !== undefined) return copyRole(role, keyword, value, at)
  switch (keyword) {
    case '$id':
      return undefined
    case '$schema':
      if (typeof value === 'string' && knownDrafts.test(value)) return undefined
      throw badOption(at.path, value, 'Leave it out: schemas are read as JSON Schema 2019-09 (and draft-07).')
    case '$ref': {
      const pointer = pointerOf(value, at)
      at.refs.push({ pointer, path: at.path })
      return pointer
    }
    case 'pattern':
      checkPattern(value, schema.maxLength, at.path)
      break
    case 'sanitize':
      checkSteps(value, at.path)
      checkStringOnly(schema, value, at)
      break
    case 'contentMediaType':
      if (value !== 'text/html')
        throw badOption(at.path, value, "Only 'text/html' (sanitize as HTML) has a meaning here.")
      checkStringOnly(schema, value, at)
      break
    case 'uniqueItems':
      checkUniqueItems(schema, value, at)
      break
  }
  return copyPlain(value, at)
}

/** A keyword nobody knows asks nothing, and what its author thinks is checked would not be. */
function keywordOf(name: string, value: unknown, at: Position): Keyword {
  const known = keywords.get(name)
  if (known !== undefined) return known
  const meant = closest(name, [...keywords.keys()])
  const advice = meant === undefined ? 'Leave it out.' : `Did you mean \`${meant}\`?`
  throw badOption(at.path, value, refusedKeywords.get(name) ?? `There is no such keyword. ${advice}`)
}

function copyRole(role: string, keyword: string, value: unknown, at: Position): unknown {
  const inside = role === 'question' ? { ...at, inQuestion: true } : at
  if (role === 'members' || role === 'dependents' || role === 'definitions') {
    if (!isSchema(value)) throw badOption(at.path, value, 'Write an object of schemas.')
    return Object.fromEntries(
      tagsFirst(value).map(([name, each]) => {
        if (name === '__proto__' && !at.outward)
          throw badOption(at.path, name, 'No message can have a member of this name.')
        if (keyword === 'patternProperties') checkPattern(name, undefined, `${at.path}[${JSON.stringify(name)}]`)
        return [name, copyEither(each, step(inside, name))]
      }),
    )
  }
  if (Array.isArray(value) && (role === 'list' || keyword === 'items'))
    return value.map((each, index) => copyEither(each, step(inside, String(index))))
  return copyEither(value, inside)
}

/** ajv checks in the order of writing: what tells the branches of a union apart goes first, before anything is descended into. */
function tagsFirst(schemas: PlainSchema): [string, unknown][] {
  const isTag = ([, schema]: [string, unknown]) => isSchema(schema) && ('const' in schema || 'enum' in schema)
  return Object.entries(schemas).sort((one, other) => Number(isTag(other)) - Number(isTag(one)))
}

function copyEither(schema: unknown, at: Position): unknown {
  if (typeof schema === 'boolean') return schema
  if (!isSchema(schema)) throw badOption(at.path, schema, 'Write a schema here.')
  return copyOne(schema, at)
}

function copyPlain(value: unknown, at: Position): unknown {
  if (at.depth > deepest) throw badOption(at.path, '(a value)', `It nests deeper than ${deepest}.`)
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number')
    return value
  if (Array.isArray(value)) return value.map((each, index) => copyPlain(each, step(at, String(index))))
  if (!isSchema(value)) throw badOption(at.path, value, 'A schema is plain JSON.')
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, copyPlain(each, step(at, name))]))
}

function step(at: Position, name: string): Position {
  const path = `${at.path}.${name}`
  if (!name.isWellFormed())
    throw badOption(path, name, 'Half a character is in this name, and no message can have such a member.')
  return { ...at, path, pointer: `${at.pointer}/${stepTo(name)}`, depth: at.depth + 1 }
}

/** TypeBox writes cycles as `{ $defs: { Node: { $id: 'Node' } }, $ref: 'Node' }`. */
function withIds(schema: PlainSchema, at: Position): ReadonlyMap<string, string> {
  const ids = new Map(at.ids)
  for (const keyword of ['$defs', 'definitions']) {
    const named = schema[keyword]
    if (!isSchema(named)) continue
    for (const [name, each] of Object.entries(named)) {
      if (isSchema(each) && typeof each.$id === 'string') ids.set(each.$id, step(step(at, keyword), name).pointer)
    }
  }
  return ids
}

function pointerOf(ref: unknown, at: Position): string {
  if (typeof ref === 'string') {
    const pointer = at.ids.get(ref)
    if (pointer !== undefined) return pointer
    if (!at.inNamed && (ref === '#' || ref.startsWith('#/'))) return ref
  }
  throw badOption(
    at.path,
    ref,
    'A `$ref` points into its own schema: `#/$defs/Name`, or the `$id` of a definition in sight.',
  )
}

/** The schema that a pointer of `copySchema` points at, or nothing. */
export function followRef(ref: unknown, root: PlainSchema): PlainSchema | undefined {
  if (typeof ref !== 'string') return undefined
  let found: unknown = root
  for (const part of ref.split('/').slice(1)) {
    const name = nameOf(part)
    if (name === undefined || typeof found !== 'object' || found === null || !Object.hasOwn(found, name))
      return undefined
    found = Reflect.get(found, name)
  }
  return isSchema(found) ? found : undefined
}

function checkStringOnly(schema: PlainSchema, value: unknown, at: Position): void {
  if (schema.type !== 'string') throw badOption(at.path, value, "It belongs beside `type: 'string'`.")
  if (at.inQuestion)
    throw badOption(at.path, value, 'Inside `not`, `if`, `contains` and `propertyNames` nothing is sanitized.')
}

const scalars: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null'])
const mostUniqueItems = 256

/** Scalars are compared by hashing; anything else pair by pair and deeply, which is seconds for one message of empty objects. */
function checkUniqueItems(schema: PlainSchema, value: unknown, at: Position): void {
  const { items, maxItems } = schema
  if (value !== true || (isSchema(items) && scalars.has(items.type))) return
  if (typeof maxItems === 'number' && maxItems <= mostUniqueItems) return
  throw badOption(
    at.path,
    value,
    `Beside items that are not of one scalar type it needs \`maxItems\` of at most ${mostUniqueItems}.`,
  )
}

function checkSteps(value: unknown, path: string): void {
  const names = [...textSteps.keys()].map((name) => `'${name}'`).join(', ')
  if (!Array.isArray(value) || value.length === 0) throw badOption(path, value, `Write a list of ${names}.`)
  for (const [index, name] of value.entries()) {
    if (!textSteps.has(name)) throw badOption(`${path}[${index}]`, name, `Write one of ${names}.`)
  }
}

export function isSchema(value: unknown): value is PlainSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The schemas about the same value as `schema`, `$ref` followed, questions left out. */
export function inPlace(schema: PlainSchema, root: PlainSchema): PlainSchema[] {
  const found: unknown[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    const role = keywords.get(keyword)?.role
    if (role === 'list' && Array.isArray(value)) found.push(...value)
    else if (role === 'branch') found.push(value)
    else if (role === 'dependents' && isSchema(value)) found.push(...Object.values(value))
    else if (keyword === '$ref') found.push(followRef(value, root))
  }
  return found.filter(isSchema)
}

/** Does this schema, or one about the same value, describe objects? */
export function takesObjects(schema: PlainSchema, root: PlainSchema, seen: Set<PlainSchema> = new Set()): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  const { type } = schema
  if (type !== undefined) return type === 'object' || (Array.isArray(type) && type.includes('object'))
  return inPlace(schema, root).some((same) => takesObjects(same, root, seen))
}
