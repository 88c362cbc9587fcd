import { isDeclared } from './account.ts'
import { holds } from './holds.ts'
import { kindBits, kindOf } from './kind.ts'
import { isLonger, isShorter } from './length.ts'
import { costOfMultiple, isMultipleOf } from './multiple-of.ts'
import type { ListRules, MemberRules, NumberRules, SchemaNode, TextRules, Union } from './node.ts'
import { describesObjects } from './node.ts'
import { Work } from './work.ts'

/**
 * A schema as most are: with one opinion of each value, so that to hold and to be declared are one question, and no answer is wanted
 * twice. A part that has several (`allOf`, `not`, branches that nothing tells apart, patterns beside properties) is asked as a whole.
 */
export interface Straight {
  readonly kinds: number
  readonly whole: boolean
  readonly text: TextRules | undefined
  readonly number: NumberRules | undefined
  /** Left out: any list, whatever is in it. */
  readonly list: StraightList | undefined
  /** Left out: any object, whatever is in it. */
  readonly members: StraightMembers | undefined
  /** Where the kind of a value is not enough to tell: literals, unions, and the parts that are asked as a whole. */
  readonly ask: Ask | undefined
}

type Ask = (value: unknown, work: Work) => boolean

interface StraightList {
  readonly minItems: number
  readonly maxItems: number
  readonly first: readonly Straight[]
  /** Left out: whatever they are. */
  readonly rest: Straight | undefined
}

interface StraightMembers {
  /** In the order of writing, which is that of most messages, too. */
  readonly inOrder: readonly Property[]
  readonly byName: ReadonlyMap<string, Property>
  /** How many of the properties are required. */
  readonly required: number
  /** Required, and no properties. */
  readonly named: readonly string[]
  readonly minProperties: number
  readonly maxProperties: number
  readonly pattern: RegExp | undefined
  readonly matched: Property
  /** Those that nothing names. */
  readonly others: Property
}

interface Property {
  readonly name: string
  readonly index: number
  /** One where it is required. */
  readonly counts: number
  readonly schema: Straight
}

/** @returns `undefined` for a schema that would be asked as a whole */
export function straighten(root: SchemaNode): Straight | undefined {
  return isStraight(root) ? straightOf(root, new Map()) : undefined
}

/**
 * Whether a value holds and every member of it is declared: at once, and without a word about why not.
 *
 * @throws exhausted when the budget is used up
 */
export function isFine(schema: Straight, value: unknown, work: Work): boolean {
  const { ask, kinds } = schema
  if (ask !== undefined) return ask(value, work)
  switch (typeof value) {
    case 'string':
      return (kinds & kindBits.string) !== 0 && (schema.text === undefined || isFineText(schema.text, value))
    case 'number':
      if ((kinds & kindBits.number) === 0 || (schema.whole && !Number.isInteger(value))) return false
      return schema.number === undefined || isFineNumber(schema.number, value, work)
    case 'boolean':
      return (kinds & kindBits.boolean) !== 0
    case 'object':
      if (value === null) return (kinds & kindBits.null) !== 0
      if (Array.isArray(value)) {
        return (kinds & kindBits.array) !== 0 && (schema.list === undefined || isFineList(schema.list, value, work))
      }
      return (
        (kinds & kindBits.object) !== 0 &&
        (schema.members === undefined || isFineObject(schema.members, value as Record<string, unknown>, work))
      )
    default:
      return false
  }
}

function isFineText({ minLength, maxLength, pattern, format }: TextRules, text: string): boolean {
  if (isLonger(text, maxLength) || isShorter(text, minLength)) return false
  return (pattern === undefined || pattern.test(text)) && (format === undefined || format(text))
}

function isFineNumber(rules: NumberRules, value: number, work: Work): boolean {
  const { minimum, maximum, above, below, multipleOf, format } = rules
  if (!(value >= minimum && value <= maximum && value > above && value < below)) return false
  if (multipleOf !== undefined) {
    work.spend(costOfMultiple(value, multipleOf))
    if (!isMultipleOf(value, multipleOf)) return false
  }
  return format === undefined || format(value)
}

function isFineList({ minItems, maxItems, first, rest }: StraightList, list: readonly unknown[], work: Work): boolean {
  const { length } = list
  if (length < minItems || length > maxItems) return false
  work.spend(length)
  for (let index = 0; index < length; index++) {
    const schema = index < first.length ? first[index] : rest
    if (schema !== undefined && !isFine(schema, list[index], work)) return false
  }
  return true
}

const { hasOwnProperty: isOwn } = Object.prototype

function isFineObject(rules: StraightMembers, value: Record<string, unknown>, work: Work): boolean {
  const { inOrder, byName, pattern } = rules
  let count = 0
  let next = 0
  let required = 0
  // V8 knows where the next member is, and that it is its own: faster than a list of names, and to read by them.
  for (const name in value) {
    if (!isOwn.call(value, name)) continue
    count++
    let property = next < inOrder.length ? inOrder[next] : undefined
    if (property === undefined || property.name !== name) property = byName.get(name)
    if (property === undefined) property = pattern?.test(name) === true ? rules.matched : rules.others
    else next = property.index + 1
    if (!isFine(property.schema, value[name], work)) return false
    required += property.counts
  }
  work.spend(count + 1)
  if (count < rules.minProperties || count > rules.maxProperties) return false
  return (
    required === rules.required && (rules.named.length === 0 || rules.named.every((each) => Object.hasOwn(value, each)))
  )
}

/** As many of a kind are asked one after the other. */
const few = 12

/** Whether a schema has one opinion of each value, whatever its members have. */
function isStraight(node: SchemaNode): boolean {
  if (node.not !== undefined) return false
  if (node.composed) return isStraightUnion(node)
  if (node.values !== undefined) return node.values.scalars !== undefined
  const { text, list, members } = node
  if (text !== undefined && text.degree > 1) return false
  if (list !== undefined && (list.unique || list.contains !== undefined)) return false
  return members === undefined || isStraightObject(node, members)
}

function isStraightObject(node: SchemaNode, members: MemberRules): boolean {
  const { properties, patterns, names, together, dependents, unevaluated } = members
  if (names !== undefined || unevaluated !== undefined || together.length > 0 || dependents.length > 0) return false
  if (patterns.length > 1 || (patterns.length > 0 && properties.size > 0)) return false
  return (node.kinds & kindBits.object) === 0 || describesObjects(node)
}

/** A union alone, of which one branch at most can hold for an object or a list. */
function isStraightUnion(node: SchemaNode): boolean {
  const { ref, allOf, anyOf, oneOf, condition, text, number, list, members, values } = node
  const union = anyOf ?? oneOf
  if (union === undefined || (anyOf !== undefined && oneOf !== undefined) || allOf.length > 0) return false
  if ([ref, condition, text, number, list, members, values].some((each) => each !== undefined)) return false
  const { byKind, byValue, tag } = union.sorted()
  if (byValue !== undefined) return true
  if (
    [...byKind].some(
      ([kind, branches]) => branches.length > (kind < kindBits.array ? few : 1) && kind < kindBits.object,
    )
  )
    return false
  const ofObjects = byKind.get(kindBits.object) ?? []
  // Where a branch lets every member through, which ones are declared depends on the others.
  if (!ofObjects.every((branch) => describesObjects(branch))) return false
  if (ofObjects.length < 2) return true
  return tag !== undefined && [...tag.branches.values()].every((branches) => branches.length === 1)
}

type Known = Map<SchemaNode, Straight>

function straightOf(node: SchemaNode, known: Known): Straight {
  const found = known.get(node)
  if (found !== undefined) return found
  const { kinds, whole, text, number } = node
  const made: { -readonly [Name in keyof Straight]: Straight[Name] } = {
    ...{ kinds: node.never ? 0 : kinds, whole, text, number, list: undefined, members: undefined, ask: undefined },
  }
  // In place before its parts are made: a schema may refer to itself.
  known.set(node, made)
  if (node.never) return made
  made.ask = askOf(node, known)
  if (made.ask !== undefined) return made
  if (node.list !== undefined) made.list = straightList(node.list, known)
  if (node.members !== undefined) made.members = straightMembers(node.members, known)
  else if (describesObjects(node)) made.members = noMembers
  return made
}

const nothing: Straight = {
  ...{
    kinds: 0,
    whole: false,
    text: undefined,
    number: undefined,
    list: undefined,
    members: undefined,
    ask: undefined,
  },
}

function property(schema: Straight, name = '', index = 0, counts = 0): Property {
  return { name, index, counts, schema }
}

const noMembers: StraightMembers = {
  ...{
    inOrder: [],
    byName: new Map(),
    required: 0,
    named: [],
    minProperties: 0,
    maxProperties: Number.POSITIVE_INFINITY,
  },
  ...{ pattern: undefined, matched: property(nothing), others: property(nothing) },
}

function straightList({ minItems, maxItems, first, rest }: ListRules, known: Known): StraightList {
  return {
    minItems,
    maxItems,
    first: first.map((node) => straightOf(node, known)),
    rest: rest && straightOf(rest, known),
  }
}

function straightMembers(rules: MemberRules, known: Known): StraightMembers {
  const { required, minProperties, maxProperties, properties, patterns, additional } = rules
  const [[pattern, matched] = []] = patterns
  const needed = new Set(required)
  const inOrder = Array.from(properties, ([name, node], index) =>
    property(straightOf(node, known), name, index, Number(needed.has(name))),
  )
  const named = [...needed].filter((name) => !properties.has(name))
  return {
    inOrder,
    byName: new Map(inOrder.map((each) => [each.name, each])),
    required: needed.size - named.length,
    named,
    minProperties,
    maxProperties,
    pattern,
    matched: property(matched === undefined ? nothing : straightOf(matched, known)),
    others: property(additional === undefined ? nothing : straightOf(additional, known)),
  }
}

function askOf(node: SchemaNode, known: Known): Ask | undefined {
  if (!isStraight(node)) return (value, work) => holds(node, value, work) && isDeclared(value, [node], work)
  const union = node.anyOf ?? node.oneOf
  const scalars = node.values?.scalars ?? union?.sorted().byValue?.keys()
  if (scalars !== undefined) {
    // What the schema says of them besides is asked now, and not of every message.
    const fitting = new Set([...scalars].filter((value) => holds(node, value, new Work(value, false))))
    return (value) => fitting.has(value)
  }
  return union && askUnion(node, union, known)
}

function askUnion({ kinds, whole, oneOf }: SchemaNode, union: Union, known: Known): Ask {
  const { byKind, tag } = union.sorted()
  const ofKind = new Map(
    Array.from(byKind, ([kind, branches]) => [
      kind,
      (kinds & kind) === 0 ? [] : branches.map((branch) => straightOf(branch, known)),
    ]),
  )
  const tagged = new Map(
    Array.from(tag?.branches ?? [], ([value, [branch]]) => [value, branch && straightOf(branch, known)]),
  )
  return (value, work) => {
    const kind = kindOf(value)
    if (tag !== undefined && kind === kindBits.object) {
      // The branch requires the tag: an inherited one does not count.
      const branch = (kinds & kind) === 0 ? undefined : tagged.get(Reflect.get(Object(value), tag.name))
      return branch !== undefined && isFine(branch, value, work)
    }
    if (whole && kind === kindBits.number && !Number.isInteger(value)) return false
    let count = 0
    for (const branch of ofKind.get(kind) ?? []) {
      if (!isFine(branch, value, work)) continue
      if (oneOf === undefined) return true
      count++
    }
    return count === 1
  }
}
