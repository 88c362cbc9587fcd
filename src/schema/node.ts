import { kindBits } from './kind.ts'
import type { Work } from './work.ts'

/** A finished schema: its demands on a value of each kind, and the others that speak of the same value. */
export interface SchemaNode {
  readonly id: number
  readonly pointer: string
  /** `false` as a schema. */
  readonly never: boolean
  readonly kinds: number
  /** `integer` without `number`. */
  readonly whole: boolean
  /** For errors: `type` as it was written. */
  readonly typeNames: string
  readonly values: ValueSet | undefined
  readonly text: TextRules | undefined
  readonly number: NumberRules | undefined
  readonly list: ListRules | undefined
  readonly members: MemberRules | undefined
  /** Whether the node says something of the same value through others. */
  readonly composed: boolean
  readonly ref: SchemaNode | undefined
  readonly allOf: readonly SchemaNode[]
  readonly anyOf: Union | undefined
  readonly oneOf: Union | undefined
  readonly not: SchemaNode | undefined
  /** `if`, `then`, `else`. */
  readonly condition: SchemaNode | undefined
  readonly whenYes: SchemaNode | undefined
  readonly whenNo: SchemaNode | undefined
  /** The only schema about its value, and one that describes objects: what it does not declare is refused at once. */
  readonly sealed: boolean
  /** Where what it said of an object is kept, where several ways lead to it. */
  readonly slot: number | undefined
  /** The treatment of a text on the way: see `cleaning-plan.ts` and `outbound/projection.ts`. */
  readonly html: boolean
  readonly url: boolean
}

/** The values that `const` or `enum` takes. */
export interface ValueSet {
  /** @throws exhausted */
  has(value: unknown, work: Work): boolean
  /** When all of them are of these kinds. */
  readonly kinds: number
  /** `undefined` when one is an object or a list. */
  readonly scalars: ReadonlySet<unknown> | undefined
}

export interface TextRules {
  readonly minLength: number
  readonly maxLength: number
  readonly pattern: RegExp | undefined
  /** Of the time that the pattern takes: 1 where it grows with the length. */
  readonly degree: number
  readonly format: ((text: string) => boolean) | undefined
}

export interface NumberRules {
  readonly minimum: number
  readonly maximum: number
  readonly above: number
  readonly below: number
  readonly multipleOf: number | undefined
  readonly format: ((value: number) => boolean) | undefined
}

export interface ListRules {
  readonly minItems: number
  readonly maxItems: number
  readonly unique: boolean
  readonly first: readonly SchemaNode[]
  readonly rest: SchemaNode | undefined
  readonly contains: SchemaNode | undefined
  readonly minContains: number
  readonly maxContains: number
}

export interface MemberRules {
  readonly required: readonly string[]
  readonly minProperties: number
  readonly maxProperties: number
  readonly properties: ReadonlyMap<string, SchemaNode>
  readonly patterns: readonly (readonly [pattern: RegExp, member: SchemaNode])[]
  readonly additional: SchemaNode | undefined
  readonly unevaluated: SchemaNode | undefined
  readonly names: SchemaNode | undefined
  readonly together: readonly (readonly [name: string, others: readonly string[]])[]
  readonly dependents: readonly (readonly [name: string, schema: SchemaNode])[]
}

/** The schemas about the same value, whichever of them hold. */
export function inPlaceOf(node: SchemaNode): SchemaNode[] {
  return [
    node.ref,
    ...node.allOf,
    ...(node.anyOf?.branches ?? []),
    ...(node.oneOf?.branches ?? []),
    node.whenYes,
    node.whenNo,
    ...(node.members?.dependents.map(([, schema]) => schema) ?? []),
  ].filter((each) => each !== undefined)
}

/** Whether a node, or one about the same value, describes objects: then members that nobody declares are not let through. */
export function describesObjects(node: SchemaNode, seen: Set<SchemaNode> = new Set()): boolean {
  if (seen.has(node)) return false
  seen.add(node)
  if (node.typeNames !== '') return (node.kinds & kindBits.object) !== 0
  const { members } = node
  const declares =
    members !== undefined &&
    (members.properties.size > 0 ||
      members.patterns.length > 0 ||
      members.additional !== undefined ||
      members.unevaluated !== undefined)
  return declares || inPlaceOf(node).some((same) => describesObjects(same, seen))
}

/** The branches of an `anyOf` or `oneOf`, and which of them a value can fit at all. */
export interface Union {
  readonly branches: readonly SchemaNode[]
  /** The branches worth asking: of its kind, and with its tag where every branch for objects has one. */
  candidates(value: unknown): readonly SchemaNode[]
  /** The branches, by the value that tells them apart. */
  sorted(): SortedBranches
}

/** The branches of a union by what tells them apart. */
export interface SortedBranches {
  readonly byKind: ReadonlyMap<number, readonly SchemaNode[]>
  /** When all of them are of scalars that they name. */
  readonly byValue: ReadonlyMap<unknown, readonly SchemaNode[]> | undefined
  /** When there are several for objects. */
  readonly tag: Tag | undefined
}

/** A member that every branch for objects requires, with values of its own. */
export interface Tag {
  readonly name: string
  readonly branches: ReadonlyMap<unknown, readonly SchemaNode[]>
}
