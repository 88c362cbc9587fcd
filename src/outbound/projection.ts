import { types } from 'node:util'
import { badOption, SecureWsError } from '../errors.ts'
import { isSchema, type OutputSchema, pointedAt, stepInto } from '../schema/output-schema.ts'
import { Encoded } from './encoded.ts'
import { isRawJson, refuseLossOf, serialize } from './json.ts'

/** From the message down to a member, the last step first. */
export type Place = { readonly above: Place | undefined; readonly key: string | number }

/** A string that its schema calls markup or a URL, and where it stands. */
type Text = { readonly kind: 'html' | 'url'; readonly place: Place; readonly given: string | Encoded<'html'> }

/** A value that no branch of its union accepts; without a place it is the message. */
type Misfit = { readonly kind: 'misfit'; readonly place: Place | undefined }

export type Special = Text | Misfit

/** Copies what the schema declares of a value; `undefined` if nothing. Adds to `specials`. Without a place the value is a message. */
export type Projection = (value: unknown, specials: Special[], place?: Place) => unknown

/** True if `member` (already copied) is valid where `pointer` points. */
export type Accepts = (pointer: string) => (member: unknown) => boolean

/** The same for one member, which was read, and is there. */
type Project = (member: unknown, place: Place | undefined, notes: Notes) => unknown
type Notes = { readonly specials: Special[]; readonly reads: Reads | undefined }

/** What each member of each object was when it was read. */
type Reads = Map<object, Map<string, unknown>>

type Branch = { readonly project: Project | undefined; readonly accepts: (member: unknown) => boolean }

const urlFormats: ReadonlySet<unknown> = new Set(['uri', 'uri-reference', 'iri', 'iri-reference', 'url'])
const ofMembers = ['properties', 'patternProperties', 'additionalProperties']

/**
 * Compiles a schema to a function that copies what is declared and drops the rest. Every member is read once, so a
 * getter cannot show one value to the check and another to the socket. What a union holds is decided by its first branch
 * that accepts the value; with `allOf`, what any part declares is kept. A part that says nothing about members, items or
 * text, like `{ required: ['a'] }`, declares nothing next to others that do; alone, it lets everything through.
 */
export function compileProjection(root: OutputSchema, accepts: Accepts, path: string): Projection {
  const compiled = new Map<string, Project | undefined>()
  let readsAgain = false
  const project = projectionAt(root, '#') ?? everything
  return (value, specials, place) => project(value, place, { specials, reads: readsAgain ? new Map() : undefined })

  /** `undefined` if the schema says nothing. */
  function projectionAt(schema: unknown, pointer: string): Project | undefined {
    if (compiled.has(pointer)) return compiled.get(pointer)
    let made: Project | undefined
    // In place before its parts are compiled: a schema may refer to itself.
    compiled.set(pointer, (member, place, notes) => made?.(member, place, notes))
    made = compileOne(schema, pointer)
    compiled.set(pointer, made)
    return made
  }

  function compileOne(schema: unknown, pointer: string): Project | undefined {
    if (!isSchema(schema)) return schema === false ? nothing : undefined
    const parts = [compileOwn(schema, pointer)]
    const ref = schema.$ref
    if (typeof ref === 'string') {
      const target = pointedAt(root, ref)
      if (target === undefined) {
        const at = `${path}${pointer.slice(1).replaceAll('/', '.')}.$ref`
        throw badOption(at, ref, 'Point into the same schema: `#/$defs/Name`.')
      }
      parts.push(projectionAt(target, ref))
    }
    for (const [index, part] of entriesOf(schema.allOf)) parts.push(projectionAt(part, `${pointer}/allOf/${index}`))
    let project = merged(parts.filter((part) => part !== undefined))
    for (const keyword of ['anyOf', 'oneOf']) {
      const branches = entriesOf(schema[keyword]).map(([index, branch]): Branch => {
        const at = `${pointer}/${keyword}/${index}`
        return { project: projectionAt(branch, at), accepts: accepts(at) }
      })
      if (branches.some((branch) => branch.project !== undefined)) project = firstAccepting(project, branches)
    }
    return project
  }

  /** What the schema itself says, without its parts. */
  function compileOwn(schema: OutputSchema, pointer: string): Project | undefined {
    const html = schema.contentMediaType === 'text/html' ? special('html') : undefined
    const text = html ?? (urlFormats.has(schema.format) ? special('url') : undefined)
    const object =
      [schema.type].flat().includes('object') || ofMembers.some((keyword) => Object.hasOwn(schema, keyword))
    const members = object ? compileMembers(schema, pointer) : undefined
    const list = schema.items === undefined ? undefined : compileItems(schema, pointer)
    if (text === undefined && members === undefined && list === undefined) return undefined
    return byKind(text ?? everything, members ?? everything, list ?? everything)
  }

  function compileMembers(schema: OutputSchema, pointer: string): Project {
    const below = (keyword: string, name: string, each: unknown): Project =>
      projectionAt(each, `${pointer}/${keyword}/${stepInto(name)}`) ?? everything
    const declared = new Map(
      entriesOf(schema.properties).map(([name, each]) => [name, below('properties', name, each)]),
    )
    const patterns = entriesOf(schema.patternProperties).map(
      ([pattern, each]) => [new RegExp(pattern, 'u'), below('patternProperties', pattern, each)] as const,
    )
    const { additionalProperties = false } = schema
    const others = projectionAt(additionalProperties, `${pointer}/additionalProperties`) ?? everything
    return membersBy(declared, (name) => patterns.find(([pattern]) => pattern.test(name))?.[1] ?? others)
  }

  function compileItems({ items, additionalItems }: OutputSchema, pointer: string): Project {
    if (!Array.isArray(items)) {
      const each = projectionAt(items, `${pointer}/items`) ?? everything
      return itemsBy(() => each)
    }
    const first = items.map((each, index) => projectionAt(each, `${pointer}/items/${index}`) ?? everything)
    const rest = projectionAt(additionalItems, `${pointer}/additionalItems`) ?? everything
    return itemsBy((index) => first[index] ?? rest)
  }

  /** What any of the parts keeps, object by object. */
  function merged(parts: readonly Project[]): Project | undefined {
    if (parts.length < 2) return parts[0]
    readsAgain = true
    return (member, place, notes) => parts.map((project) => project(member, place, notes)).reduce(union)
  }

  // What no branch accepts is noted as an error: left out, it would pass for a member that was not given.
  function firstAccepting(base: Project | undefined, branches: readonly Branch[]): Project {
    readsAgain = true
    const silent = base === undefined ? everything : nothing
    return (member, place, notes) => {
      const kept = base?.(member, place, notes)
      for (const { project = silent, accepts } of branches) {
        const specials: Special[] = []
        const copy = union(kept, project(member, place, { ...notes, specials }))
        if (specials.some(({ kind }) => kind === 'misfit') || !accepts(copy)) continue
        notes.specials.push(...specials)
        return copy
      }
      notes.specials.push({ kind: 'misfit', place })
      return kept
    }
  }
}

/** What JSON.stringify goes on with in place of `given`: `toJSON` is asked once, and what it returns is not asked. */
export function askedToJson(given: unknown, key: string): unknown {
  // Of the primitives, JSON asks only a BigInt, which programs teach it. An `Encoded` is what it is.
  if (typeof given !== 'object' && typeof given !== 'function' && typeof given !== 'bigint') return given
  if (Encoded.is(given)) return given
  const { toJSON }: { readonly toJSON?: unknown } = Object(given)
  return typeof toJSON === 'function' ? Reflect.apply(toJSON, given, [key]) : given
}

/** A member as JSON.stringify sees it, `undefined` if it leaves it out. @throws SecureWsError SWS_NOT_ENCODABLE */
export function settled(given: unknown, key: string): unknown {
  const member = askedToJson(given, key)
  if (typeof member === 'function' || typeof member === 'symbol') return undefined
  if (typeof member === 'bigint') throw new SecureWsError('SWS_NOT_ENCODABLE', 'A BigInt cannot be sent: send its text')
  // Before the check, so that null is what is checked.
  if (typeof member === 'number' && !Number.isFinite(member)) return null
  if (typeof member !== 'object' || member === null || Encoded.is(member)) return member
  if (types.isBoxedPrimitive(member) || isRawJson(member)) return JSON.parse(serialize({ toJSON: () => member }))
  return refuseLossOf(member)
}

function read(holder: object, key: string, reads: Reads | undefined): unknown {
  if (reads === undefined) return settled(Reflect.get(holder, key), key)
  const known = reads.get(holder) ?? new Map<string, unknown>()
  reads.set(holder, known)
  if (!known.has(key)) known.set(key, settled(Reflect.get(holder, key), key))
  return known.get(key)
}

function byKind(text: Project, members: Project, list: Project): Project {
  return (member, place, notes) => {
    if (typeof member === 'string' || Encoded.is(member)) return text(member, place, notes)
    if (Array.isArray(member)) return list(member, place, notes)
    return typeof member === 'object' && member !== null ? members(member, place, notes) : member
  }
}

function membersBy(declared: ReadonlyMap<string, Project>, others: (name: string) => Project): Project {
  return (member, place, notes) => {
    const object = member as object
    const copy = new Bare()
    for (const name of Object.keys(object)) {
      // The type of a message is a member of it only where it is declared by name.
      const project = declared.get(name) ?? (place === undefined && name === 'type' ? nothing : others(name))
      // Not even read: a getter that nobody declared may throw.
      if (project === nothing) continue
      const given = read(object, name, notes.reads)
      if (given !== undefined) copy[name] = project(given, { above: place, key: name }, notes)
    }
    return copy
  }
}

function itemsBy(projectOf: (index: number) => Project): Project {
  return (member, place, notes) => {
    const list = member as readonly unknown[]
    const copy: unknown[] = []
    // By index, as JSON does it: an iterator of the list's own says nothing.
    for (let index = 0, { length } = list; index < length; index += 1) {
      const given = read(list, String(index), notes.reads) ?? null
      copy.push(projectOf(index)(given, { above: place, key: index }, notes))
    }
    return copy
  }
}

const everything: Project = byKind(
  String,
  membersBy(new Map(), () => everything),
  itemsBy(() => everything),
)

const nothing: Project = () => undefined

function special(kind: Text['kind']): Project {
  return (given, place, { specials }) => {
    const text = String(given)
    if (place !== undefined) specials.push({ kind, place, given: Encoded.is(given, 'html') ? given : text })
    return text
  }
}

function union(one: unknown, other: unknown): unknown {
  if (one === undefined) return other
  if (Array.isArray(one) && Array.isArray(other)) return one.map((each, index) => union(each, other[index]))
  if (!isSchema(one) || !isSchema(other)) return one
  const both = Object.assign(new Bare(), one)
  for (const [name, value] of Object.entries(other)) both[name] = union(both[name], value)
  return both
}

/** The members of an object, or of a list; none of a keyword that is not there. */
function entriesOf(value: unknown): [string, unknown][] {
  return Object.entries(value ?? {})
}

/**
 * An object that inherits nothing: a `__proto__` member is a member, and `required: ['toString']` means one of its own. Made
 * by a constructor, because V8 keeps `Object.create(null)` as a hash table, which is slow to build, validate and serialize.
 */
export const Bare = function Bare() {} as object as new () => Record<string, unknown>
Bare.prototype = Object.freeze(Object.create(null))
