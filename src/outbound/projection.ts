import { types } from 'node:util'
import { SecureWsError } from '../errors.ts'
import type { Location } from '../schema/location.ts'
import { budgetOf, exhausted } from '../schema/work.ts'
import { Encoded } from './encoded.ts'
import { isRawJson, refuseLossOf, serialize } from './json.ts'

/** From the message down to a member, the last step first. */
export type Place = { readonly above: Place | undefined; readonly key: string | number }

/** A string that its schema calls markup or a URL, and where it stands. */
export type Special = {
  readonly kind: 'html' | 'url'
  readonly place: Place
  readonly given: string | Encoded<'html'>
}

/** The notes on the copy of one message, made before it is known which branches of its unions hold. */
export type Notes = {
  /** Looks of schemas, and the weight of what they looked at: `spend` holds the one to the other. */
  visits: number
  weight: number
  readonly specials: Special[]
  /** The objects from which something was left out. */
  partial: Set<object> | undefined
  /** Markup that stands for a text: by its holder, then its name. */
  markup: Map<object, Map<string | number, Encoded<'html'>>> | undefined
  /** The place of markup that stands for a text, and is encoded as one. */
  shown: Place | undefined
}

export function emptyNotes(): Notes {
  return { visits: 0, weight: 0, specials: [], partial: undefined, markup: undefined, shown: undefined }
}

/** @throws exhausted when names are looked up in more schemas than the value so far is worth */
function spend(notes: Notes, visits: number, weight: number): void {
  notes.visits += visits
  notes.weight += weight
  if (notes.visits > budgetOf(notes.weight)) throw exhausted
}

/** As `Encoded.is`, whose look inside costs as much as the rest of a copy: only what says that it is one is asked. */
function isEncoded(value: unknown): value is Encoded {
  return value instanceof Encoded && Encoded.is(value)
}

/** Stands for the holder of a value that is no member of anything. */
export const noHolder: object = Object.freeze({})

/**
 * Copies what any schema of a location declares, and drops the rest. Every member is read once, so a getter cannot show one value to
 * the check and another to the socket; what nobody declares is not even read.
 *
 * @param given already settled
 */
export function copyDeclared(
  given: unknown,
  location: Location,
  place: Place | undefined,
  notes: Notes,
  holder: object = noHolder,
): unknown {
  if (typeof given === 'string' || isEncoded(given)) return copyText(given, location, place, notes, holder)
  if (typeof given !== 'object' || given === null) return given
  return Array.isArray(given) ? copyList(given, location, place, notes) : copyMembers(given, location, place, notes)
}

function copyText(
  given: string | Encoded,
  { html, url }: Location,
  place: Place | undefined,
  notes: Notes,
  holder: object,
): string {
  const text = String(given)
  const { specials } = notes
  notes.weight += text.length
  if (Encoded.is(given, 'html')) {
    notes.markup ??= new Map()
    const ofHolder = notes.markup.get(holder) ?? new Map<string | number, Encoded<'html'>>()
    notes.markup.set(holder, ofHolder.set(place?.key ?? '', given))
    if (!html) notes.shown ??= place
  }
  if (place === undefined) return text
  if (html) specials.push({ kind: 'html', place, given: Encoded.is(given, 'html') ? given : text })
  if (url) specials.push({ kind: 'url', place, given: text })
  return text
}

const { hasOwnProperty: isOwn } = Object.prototype

function copyMembers(given: object, location: Location, place: Place | undefined, notes: Notes): object {
  const copy = new Bare()
  const { named } = location
  let next = 0
  let count = 0
  let weight = 0
  // V8 knows where the next member is, and that it is its own: faster than a list of names, and to read by them.
  for (const name in given) {
    if (!isOwn.call(given, name)) continue
    // Most are written in the order of the schema.
    let member = next < named.length ? named[next] : undefined
    if (member?.name !== name) member = location.byName(name)
    // The type of a message is a member of it only where it is declared by name.
    const envelope = place === undefined && name === 'type'
    let below: Location | undefined
    if (member !== undefined) {
      next = member.index + 1
      count += 1
      weight += name.length + 5
      below = member.location
    } else if (!envelope) {
      spend(notes, location.cost, name.length + 5)
      below = location.unnamed(name)
    }
    if (below === undefined) {
      if (envelope) continue
      notes.partial ??= new Set()
      notes.partial.add(copy)
      continue
    }
    const value = settled((given as Readonly<Record<string, unknown>>)[name], name)
    if (value === undefined) continue
    if (typeof value === 'string' && !below.html && !below.url) {
      copy[name] = value
      weight += value.length
    } else if (typeof value === 'object' || typeof value === 'string') {
      copy[name] = copyDeclared(value, below, { above: place, key: name }, notes, copy)
    } else copy[name] = value
  }
  spend(notes, count, weight)
  return copy
}

function copyList(given: readonly unknown[], location: Location, place: Place | undefined, notes: Notes): unknown[] {
  const copy: unknown[] = []
  // By index, as JSON does it: an iterator of the list's own says nothing.
  for (let index = 0, { length } = given; index < length; index += 1) {
    const item = settled(given[index], index) ?? null
    spend(notes, 1, 2)
    if (typeof item === 'object' || typeof item === 'string') {
      copy.push(copyDeclared(item, location.item(index), { above: place, key: index }, notes, copy))
    } else copy.push(item)
  }
  return copy
}

/** The value that JSON.stringify goes on with in place of `given`: `toJSON` is asked once, and what it returns is not asked. */
export function askedToJson(given: unknown, key: string | number): unknown {
  // Of the primitives, JSON asks only a BigInt, which programs teach it. An `Encoded` is what it is.
  if (typeof given !== 'object' && typeof given !== 'function' && typeof given !== 'bigint') return given
  if (isEncoded(given)) return given
  const { toJSON }: { readonly toJSON?: unknown } = Object(given)
  return typeof toJSON === 'function' ? Reflect.apply(toJSON, given, [String(key)]) : given
}

/** A member as JSON.stringify sees it, `undefined` if it leaves it out. @throws SecureWsError SWS_NOT_ENCODABLE */
export function settled(given: unknown, key: string | number): unknown {
  switch (typeof given) {
    case 'string':
    case 'boolean':
      return given
    case 'number':
      // Before the check, so that null is what is checked.
      return Number.isFinite(given) ? given : null
    default:
      return settledAnswer(askedToJson(given, key))
  }
}

function settledAnswer(member: unknown): unknown {
  if (typeof member === 'function' || typeof member === 'symbol') return undefined
  if (typeof member === 'bigint') throw new SecureWsError('SWS_NOT_ENCODABLE', 'A BigInt cannot be sent: send its text')
  if (typeof member === 'number' && !Number.isFinite(member)) return null
  if (typeof member !== 'object' || member === null || isEncoded(member)) return member
  if (types.isBoxedPrimitive(member) || isRawJson(member)) return JSON.parse(serialize({ toJSON: () => member }))
  return refuseLossOf(member)
}

/**
 * An object that inherits nothing: a `__proto__` member is a member, and `required: ['toString']` means one of its own. Made
 * by a constructor, because V8 keeps `Object.create(null)` as a hash table, which is slow to build, validate and serialize.
 */
export const Bare = function Bare() {} as object as new () => Record<string, unknown>
Bare.prototype = Object.freeze(Object.create(null))
