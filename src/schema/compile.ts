import { badOption } from '../errors.ts'
import { numberFormat, textFormat } from './formats.ts'
import { nameOf, stepTo } from './json-pointer.ts'
import { everyKind, kindBits, kindOf } from './kind.ts'
import type { ListRules, MemberRules, NumberRules, SchemaNode, TextRules, Union, ValueSet } from './node.ts'
import { describesObjects } from './node.ts'
import { degreeOf } from './pattern.ts'
import type { PlainSchema } from './plain-schema.ts'
import { followRef, isSchema, urlFormats } from './plain-schema.ts'
import { unionOf } from './union.ts'
import { canonicalOf } from './unique-items.ts'

/** A schema ready to be asked: its nodes, and how many of them keep what they said. */
export interface SchemaTree {
  readonly root: SchemaNode
  /** Whether a value anywhere has more than one schema, so that which members are declared depends on the value. */
  readonly branches: boolean
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

interface Draft {
  readonly root: PlainSchema
  readonly nodes: Map<string, SchemaNode>
  slots: number
  branches: boolean
  /** On the way out URLs are judged with what encodes them, which also takes relative ones. */
  readonly skipUrls: boolean
}

/**
 * Compiles a copied schema (`copySchema`).
 *
 * @throws SWS_BAD_OPTION for a schema that is one of its own parts: to ask it would never end
 */
export function compileTree(root: PlainSchema, path: string, skipUrls: boolean): SchemaTree {
  const draft: Draft = { root, nodes: new Map(), slots: 0, branches: false, skipUrls }
  const compiled = nodeAt(root, '#', true, draft)
  refuseCircles(draft, path)
  return { root: compiled, branches: draft.branches }
}

/** @param sole whether no other schema says anything of the same value */
function nodeAt(schema: unknown, pointer: string, sole: boolean, draft: Draft): SchemaNode {
  const { target, at } = targetOf(schema, pointer, draft.root)
  const composed = isSchema(target) && isComposed(target)
  if (composed) draft.branches = true
  const key = `${sole && !composed ? '' : '*'}${at}`
  const known = draft.nodes.get(key)
  if (known !== undefined) return known
  const node = emptyNode(at, draft.nodes.size)
  // In place before its parts are compiled: a schema may refer to itself.
  draft.nodes.set(key, node)
  if (isSchema(target)) fill(node, target, sole && !composed, draft)
  else node.never = target === false
  return node
}

/** A schema that is a reference and nothing else is what it refers to. */
function targetOf(schema: unknown, pointer: string, root: PlainSchema): { target: unknown; at: string } {
  let [target, at] = [schema, pointer]
  for (let steps = 0; steps < 64 && isSchema(target) && typeof target.$ref === 'string'; steps++) {
    if (Object.keys(target).some((keyword) => !notAsked.has(keyword))) break
    at = target.$ref
    target = followRef(at, root)
  }
  return { target, at }
}

const notAsked: ReadonlySet<string> = new Set(['$ref', 'title', 'description', '$comment', 'default', 'examples'])

const compositions = ['$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas', 'unevaluatedProperties']

function isComposed(schema: PlainSchema): boolean {
  return compositions.some((keyword) => Object.hasOwn(schema, keyword))
}

function emptyNode(pointer: string, id: number): Mutable<SchemaNode> {
  return {
    ...{ id, pointer, never: false, kinds: everyKind, whole: false, typeNames: '', values: undefined },
    ...{ text: undefined, number: undefined, list: undefined, members: undefined, composed: false, ref: undefined },
    ...{
      allOf: [],
      anyOf: undefined,
      oneOf: undefined,
      not: undefined,
      condition: undefined,
      whenYes: undefined,
      whenNo: undefined,
    },
    ...{ sealed: false, slot: undefined, html: false, url: false },
  }
}

function fill(node: Mutable<SchemaNode>, schema: PlainSchema, sole: boolean, draft: Draft): void {
  const same = (keyword: string) =>
    keyword in schema ? nodeAt(schema[keyword], `${node.pointer}/${keyword}`, false, draft) : undefined
  const each = (keyword: string) =>
    listOf(schema[keyword]).map((part, index) => nodeAt(part, `${node.pointer}/${keyword}/${index}`, false, draft))
  const union = (keyword: string): Union | undefined => (keyword in schema ? unionOf(each(keyword)) : undefined)
  const types = listOf(schema.type)
  if (types.length > 0) {
    node.typeNames = types.join(',')
    node.kinds = types.reduce((mask: number, type) => mask | bitOf(type), 0)
    node.whole = types.includes('integer') && !types.includes('number')
  }
  if (schema.nullable === true) node.kinds |= kindBits.null
  node.values = valuesOf(schema)
  node.text = textRules(schema, draft)
  node.number = numberRules(schema)
  node.list = listRules(schema, node.pointer, sole, draft)
  node.members = memberRules(schema, node.pointer, sole, draft)
  node.html = schema.contentMediaType === 'text/html'
  node.url = urlFormats.has(schema.format)
  node.ref =
    typeof schema.$ref === 'string' ? nodeAt(followRef(schema.$ref, draft.root), schema.$ref, false, draft) : undefined
  node.allOf = each('allOf')
  node.anyOf = union('anyOf')
  node.oneOf = union('oneOf')
  node.not = same('not')
  node.condition = same('if')
  node.whenYes = 'if' in schema ? same('then') : undefined
  node.whenNo = 'if' in schema ? same('else') : undefined
  node.composed = isComposed(schema)
  // What several ways lead to is asked once for each value: what other branches of the value will ask again.
  if (!sole) node.slot = draft.slots++
  node.sealed = sole && describesObjects(node)
}

function bitOf(type: unknown): number {
  if (type === 'integer') return kindBits.number
  return Reflect.get(kindBits, String(type)) ?? 0
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

function numberOr(value: unknown, other: number): number {
  return typeof value === 'number' ? value : other
}

function valuesOf(schema: PlainSchema): ValueSet | undefined {
  if (!('const' in schema) && !('enum' in schema)) return undefined
  const written = 'const' in schema ? [schema.const] : listOf(schema.enum)
  const allowed = 'const' in schema && 'enum' in schema ? new Set(listOf(schema.enum).map(canonicalOf)) : undefined
  const values = allowed === undefined ? written : written.filter((value) => allowed.has(canonicalOf(value)))
  const scalars = new Set(values.filter((value) => typeof value !== 'object' || value === null))
  const others = new Set(values.filter((value) => !scalars.has(value)).map(canonicalOf))
  return {
    has: (value, work) =>
      typeof value === 'object' && value !== null
        ? others.size > 0 && others.has(work.canonical(value))
        : scalars.has(value),
    kinds: values.reduce((mask: number, value) => mask | kindOf(value), 0),
    scalars: others.size === 0 ? scalars : undefined,
  }
}

function textRules(schema: PlainSchema, draft: Draft): TextRules | undefined {
  const { minLength, maxLength, pattern, format } = schema
  if (minLength === undefined && maxLength === undefined && pattern === undefined && format === undefined) {
    return undefined
  }
  return {
    minLength: numberOr(minLength, 0),
    maxLength: numberOr(maxLength, Number.POSITIVE_INFINITY),
    pattern: typeof pattern === 'string' ? new RegExp(pattern, 'u') : undefined,
    degree: typeof pattern === 'string' ? degreeOf(pattern) : 1,
    format: draft.skipUrls && urlFormats.has(format) ? undefined : textFormat(format),
  }
}

function numberRules(schema: PlainSchema): NumberRules | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema
  const rules = [minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format]
  if (rules.every((rule) => rule === undefined)) return undefined
  return {
    minimum: numberOr(minimum, Number.NEGATIVE_INFINITY),
    maximum: numberOr(maximum, Number.POSITIVE_INFINITY),
    above: numberOr(exclusiveMinimum, Number.NEGATIVE_INFINITY),
    below: numberOr(exclusiveMaximum, Number.POSITIVE_INFINITY),
    multipleOf: typeof multipleOf === 'number' ? multipleOf : undefined,
    format: numberFormat(format),
  }
}

const ofLists = ['items', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems', 'contains']

function listRules(schema: PlainSchema, pointer: string, sole: boolean, draft: Draft): ListRules | undefined {
  if (!ofLists.some((keyword) => keyword in schema)) return undefined
  const { items, additionalItems, contains } = schema
  const tuple = Array.isArray(items)
  const rest = tuple ? 'additionalItems' : 'items'
  return {
    minItems: numberOr(schema.minItems, 0),
    maxItems: numberOr(schema.maxItems, Number.POSITIVE_INFINITY),
    unique: schema.uniqueItems === true,
    first: tuple ? items.map((item, index) => nodeAt(item, `${pointer}/items/${index}`, sole, draft)) : [],
    rest:
      (tuple ? additionalItems : items) === undefined
        ? undefined
        : nodeAt(schema[rest], `${pointer}/${rest}`, sole, draft),
    contains: contains === undefined ? undefined : nodeAt(contains, `${pointer}/contains`, false, draft),
    minContains: numberOr(schema.minContains, 1),
    maxContains: numberOr(schema.maxContains, Number.POSITIVE_INFINITY),
  }
}

const ofMembers = [
  ...['properties', 'patternProperties', 'additionalProperties', 'unevaluatedProperties', 'propertyNames'],
  ...['required', 'minProperties', 'maxProperties', 'dependentRequired', 'dependentSchemas'],
]

function memberRules(schema: PlainSchema, pointer: string, sole: boolean, draft: Draft): MemberRules | undefined {
  if (!ofMembers.some((keyword) => keyword in schema)) return undefined
  const grouped = (keyword: string) => Object.entries(isSchema(schema[keyword]) ? schema[keyword] : {})
  const patterns = grouped('patternProperties')
  const properties = grouped('properties')
  // A name may match two patterns, or a property and a pattern: then its value has two schemas.
  const alone = sole && (patterns.length === 0 || (patterns.length === 1 && properties.length === 0))
  if (sole && !alone) draft.branches = true
  const below = (keyword: string, name: string, each: unknown) =>
    nodeAt(each, `${pointer}/${keyword}/${stepTo(name)}`, alone, draft)
  const one = (keyword: string, mayBeSole: boolean) =>
    keyword in schema ? nodeAt(schema[keyword], `${pointer}/${keyword}`, mayBeSole, draft) : undefined
  return {
    required: listOf(schema.required).map(String),
    minProperties: numberOr(schema.minProperties, 0),
    maxProperties: numberOr(schema.maxProperties, Number.POSITIVE_INFINITY),
    properties: new Map(properties.map(([name, each]) => [name, below('properties', name, each)])),
    patterns: patterns.map(
      ([pattern, each]) => [new RegExp(pattern, 'u'), below('patternProperties', pattern, each)] as const,
    ),
    additional: one('additionalProperties', sole),
    unevaluated: one('unevaluatedProperties', false),
    names: one('propertyNames', false),
    together: grouped('dependentRequired').map(([name, others]) => [name, listOf(others).map(String)] as const),
    dependents: grouped('dependentSchemas').map(
      ([name, each]) => [name, nodeAt(each, `${pointer}/dependentSchemas/${stepTo(name)}`, false, draft)] as const,
    ),
  }
}

/** A pointer as the path of an option: an author looks for what was written. */
export function pathOf(pointer: string): string {
  return pointer.split('/').map(nameOf).join('.').replace('#', '')
}

/** A schema that asks itself about the same value, in whatever way, asks for ever. */
function refuseCircles({ nodes }: Draft, path: string): void {
  const done = new Set<SchemaNode>()
  const open = new Set<SchemaNode>()
  function visit(node: SchemaNode): void {
    if (done.has(node)) return
    if (open.has(node)) {
      throw badOption(
        `${path}${pathOf(node.pointer)}`,
        '(a schema)',
        'It is one of its own parts, and to ask it would never end: refer to it from a member or an item.',
      )
    }
    open.add(node)
    const { ref, allOf, anyOf, oneOf, members } = node
    const same = [ref, ...allOf, ...(anyOf?.branches ?? []), ...(oneOf?.branches ?? []), node.not, node.condition]
    same.push(node.whenYes, node.whenNo, ...(members?.dependents.map(([, schema]) => schema) ?? []))
    for (const each of same) if (each !== undefined) visit(each)
    open.delete(node)
    done.add(node)
  }
  for (const node of nodes.values()) visit(node)
}
