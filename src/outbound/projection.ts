import { types } from 'node:util'
import { badOption, SecureWsError } from '../errors.ts'
import { Encoded } from './encoded.ts'
import { isRawJson, serialize } from './json.ts'
import { isSchema, type OutputSchema, pointedAt, stepInto } from './output-schema.ts'

/** From the message down to a member, the last step first. */
export type Place = { readonly above: Place | undefined; readonly key: string | number }

/** A string that its schema calls markup or a URL, and where it stands. */
export type Special = { readonly kind: 'html' | 'url'; readonly place: Place; readonly given: string | Encoded<'html'> }

/** Copies what the schema declares of `member`; `undefined` for what JSON leaves out. Adds to `specials`. */
export type Project = (member: unknown, place: Place | undefined, specials: Special[]) => unknown

/** True if `member` (already copied) is valid where `pointer` points. */
export type Accepts = (pointer: string) => (member: unknown) => boolean

const urlFormats = new Set(['uri', 'uri-reference', 'iri', 'iri-reference', 'url'])

/**
 * Compiles a schema to a function that copies what is declared and drops the rest. Every member is read once, so a
 * getter cannot show one value to the check and another to the socket. What a union holds is decided by its first branch
 * that accepts the value; with `allOf`, what any part declares is kept.
 */
export function compileProjection(root: OutputSchema, accepts: Accepts, path: string): Project {
  const compiled = new Map<string, Project>()
  return projectionAt(root, '#', path)

  function projectionAt(schema: unknown, pointer: string, at: string): Project {
    const known = compiled.get(pointer)
    if (known !== undefined) return known
    let project: Project | undefined
    // In place before its parts are compiled: a schema may refer to itself.
    compiled.set(pointer, (member, place, specials) => project?.(member, place, specials))
    project = compileOne(schema, pointer, at)
    compiled.set(pointer, project)
    return project
  }

  function compileOne(schema: unknown, pointer: string, at: string): Project {
    if (schema === true) return everything
    if (!isSchema(schema)) return nothing
    const parts: Project[] = []
    const ref = schema.$ref
    if (typeof ref === 'string') {
      const target = pointedAt(root, ref)
      if (target === undefined) throw badOption(`${at}.$ref`, ref, 'Point into the same schema: `#/$defs/Name`.')
      parts.push(projectionAt(target, ref, at))
    }
    for (const [index, part] of listOf(schema.allOf).entries()) {
      parts.push(projectionAt(part, `${pointer}/allOf/${index}`, `${at}.allOf.${index}`))
    }
    for (const keyword of ['anyOf', 'oneOf']) {
      const branches = listOf(schema[keyword]).map((branch, index) => ({
        project: projectionAt(branch, `${pointer}/${keyword}/${index}`, `${at}.${keyword}.${index}`),
        accepts: accepts(`${pointer}/${keyword}/${index}`),
      }))
      if (branches.length > 0) parts.push(firstAccepting(branches))
    }
    const own = compileOwn(schema, pointer, at)
    if (own !== undefined) parts.push(own)
    const [only] = parts
    if (only === undefined) return everything
    return parts.length === 1 ? only : (member, place, specials) => merged(parts, member, place, specials)
  }

  /** What the schema itself says about members, items and text; `undefined` if nothing. */
  function compileOwn(schema: OutputSchema, pointer: string, at: string): Project | undefined {
    const html = schema.contentMediaType === 'text/html'
    const url = typeof schema.format === 'string' && urlFormats.has(schema.format)
    const text = html ? markupText : url ? urlText : everything
    const says = (keyword: string) => Object.hasOwn(schema, keyword)
    const typed = ([] as unknown[]).concat(schema.type ?? [])
    const objects = ['properties', 'patternProperties', 'additionalProperties'].some(says) || typed.includes('object')
    const items = says('items') || says('additionalItems')
    if (!objects && !items && typed.length === 0 && !html && !url) return undefined
    const members = objects ? compileMembers(schema, pointer, at) : everything
    const list = items ? compileItems(schema, pointer, at) : everything
    return (given, place, specials) => {
      const member = settled(given)
      if (typeof member === 'string' || Encoded.is(member)) return text(member, place, specials)
      if (Array.isArray(member)) return list(member, place, specials)
      return typeof member === 'object' && member !== null ? members(member, place, specials) : member
    }
  }

  function compileMembers(schema: OutputSchema, pointer: string, at: string): Project {
    const below = (keyword: string, name: string, each: unknown) =>
      projectionAt(each, `${pointer}/${keyword}/${stepInto(name)}`, `${at}.${keyword}.${name}`)
    const declared = new Map(
      entriesOf(schema.properties).map(([name, each]) => [name, below('properties', name, each)]),
    )
    const patterns = entriesOf(schema.patternProperties).map(
      ([pattern, each]) => [new RegExp(pattern, 'u'), below('patternProperties', pattern, each)] as const,
    )
    const others =
      schema.additionalProperties === undefined
        ? undefined
        : projectionAt(schema.additionalProperties, `${pointer}/additionalProperties`, `${at}.additionalProperties`)
    const projectFor = (name: string) =>
      declared.get(name) ?? patterns.find(([pattern]) => pattern.test(name))?.[1] ?? others
    return (object, place, specials) => {
      const copy = new Bare()
      for (const name of Object.keys(object as object)) {
        const project = projectFor(name)
        if (project === undefined) continue
        const kept = project(Reflect.get(object as object, name), { above: place, key: name }, specials)
        if (kept !== undefined) copy[name] = kept
      }
      return copy
    }
  }

  function compileItems(schema: OutputSchema, pointer: string, at: string): Project {
    const { items } = schema
    const first = Array.isArray(items)
      ? items.map((each, index) => projectionAt(each, `${pointer}/items/${index}`, `${at}.items.${index}`))
      : []
    const keyword = Array.isArray(items) ? 'additionalItems' : 'items'
    const rest = projectionAt(schema[keyword] ?? true, `${pointer}/${keyword}`, `${at}.${keyword}`)
    return (list, place, specials) =>
      Array.from(list as unknown[], (member, index) => {
        const project = first[index] ?? rest
        return project(member, { above: place, key: index }, specials) ?? null
      })
  }
}

/** A value as JSON sees it: `toJSON` called, boxes opened. @throws SecureWsError SWS_NOT_ENCODABLE */
function settled(member: unknown): unknown {
  if (typeof member === 'function' || typeof member === 'symbol') return undefined
  if (typeof member === 'bigint') throw new SecureWsError('SWS_NOT_ENCODABLE', 'A BigInt cannot be sent: send its text')
  if (typeof member !== 'object' || member === null || Array.isArray(member) || Encoded.is(member)) return member
  if (types.isBoxedPrimitive(member) || isRawJson(member)) return JSON.parse(serialize(member))
  return 'toJSON' in member && typeof member.toJSON === 'function' ? jsonOf(member.toJSON('')) : member
}

// What `toJSON` returns is not asked for its own `toJSON`; an `Encoded` is what it is.
function jsonOf(result: unknown): unknown {
  return typeof result === 'object' ? result : settled(result)
}

const everything: Project = (given, place, specials) => {
  const member = settled(given)
  if (Encoded.is(member)) return String(member)
  if (Array.isArray(member)) return Array.from(member, (each) => everything(each, place, specials) ?? null)
  return typeof member === 'object' && member !== null ? JSON.parse(serialize(member)) : member
}

const nothing: Project = () => undefined

const markupText: Project = (given, place, specials) => {
  const text = String(given)
  if (place === undefined) return text
  specials.push({ kind: 'html', place, given: Encoded.is(given, 'html') ? given : text })
  return text
}

const urlText: Project = (given, place, specials) => {
  const text = String(given)
  if (place !== undefined) specials.push({ kind: 'url', place, given: text })
  return text
}

function firstAccepting(
  branches: readonly { readonly project: Project; readonly accepts: (member: unknown) => boolean }[],
): Project {
  return (given, place, specials) => {
    const member = settled(given)
    for (const branch of branches) {
      const found: Special[] = []
      const copy = branch.project(member, place, found)
      if (!branch.accepts(copy)) continue
      specials.push(...found)
      return copy
    }
    return undefined
  }
}

/** What any of the parts keeps, object by object. */
function merged(parts: readonly Project[], given: unknown, place: Place | undefined, specials: Special[]): unknown {
  const member = settled(given)
  return parts.map((project) => project(member, place, specials)).reduce(union)
}

function union(one: unknown, other: unknown): unknown {
  if (Array.isArray(one) && Array.isArray(other)) return one.map((each, index) => union(each, other[index]))
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one ?? other
  const both = Object.assign(new Bare(), one)
  for (const [name, value] of Object.entries(other))
    both[name] = Object.hasOwn(both, name) ? union(both[name], value) : value
  return both
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function entriesOf(value: unknown): [string, unknown][] {
  return isSchema(value) ? Object.entries(value) : []
}

/**
 * An object that inherits nothing: a `__proto__` member is a member, and `required: ['toString']` means one of its own. Made
 * by a constructor, because V8 keeps `Object.create(null)` as a hash table, which is slow to build, validate and serialize.
 */
export const Bare = function Bare() {} as object as new () => Record<string, unknown>
Bare.prototype = Object.freeze(Object.create(null))
