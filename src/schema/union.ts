import { everyKind, kindBits, kindOf } from './kind.ts'
import type { SchemaNode, SortedBranches, Tag, Union } from './node.ts'

const none: readonly SchemaNode[] = []

/** Sorted out when it is first asked: the branches may refer to schemas that are still being compiled. */
export function unionOf(branches: readonly SchemaNode[]): Union {
  let sorted: SortedBranches | undefined
  return {
    branches,
    candidates(value) {
      sorted ??= sortOut(branches)
      return candidatesOf(sorted, value)
    },
    sorted() {
      sorted ??= sortOut(branches)
      return sorted
    },
  }
}

function sortOut(branches: readonly SchemaNode[]): SortedBranches {
  const byKind = new Map<number, readonly SchemaNode[]>()
  for (const kind of Object.values(kindBits)) {
    byKind.set(
      kind,
      branches.filter((branch) => (kindsOf(branch, 0) & kind) !== 0),
    )
  }
  const ofObjects = byKind.get(kindBits.object) ?? none
  return { byKind, byValue: valuesOf(branches), tag: ofObjects.length < 2 ? undefined : tagOf(ofObjects) }
}

function candidatesOf({ byKind, byValue, tag }: SortedBranches, value: unknown): readonly SchemaNode[] {
  const kind = kindOf(value)
  if (kind === kindBits.object && tag !== undefined && typeof value === 'object' && value !== null) {
    if (!Object.hasOwn(value, tag.name)) return none
    return tag.branches.get(Reflect.get(value, tag.name)) ?? none
  }
  if (byValue !== undefined && kind < kindBits.array) return byValue.get(value) ?? none
  return byKind.get(kind) ?? none
}

/** The kinds of values that may fit, at most. */
function kindsOf(node: SchemaNode, depth: number): number {
  if (node.never) return 0
  let kinds = node.kinds & (node.values?.kinds ?? everyKind)
  if (depth > 8) return kinds
  for (const same of [node.ref, ...node.allOf]) if (same !== undefined) kinds &= kindsOf(same, depth + 1)
  return kinds
}

/** A union of literals, as TypeBox writes an enum: one look, however many there are. */
function valuesOf(branches: readonly SchemaNode[]): Map<unknown, SchemaNode[]> | undefined {
  const found = new Map<unknown, SchemaNode[]>()
  for (const branch of branches) {
    const scalars = branch.values?.scalars
    if (scalars === undefined) return undefined
    for (const value of scalars) found.set(value, [...(found.get(value) ?? []), branch])
  }
  return found
}

/** A member that every branch requires, with values of its own: it tells the branches apart before anything is descended into. */
function tagOf(branches: readonly SchemaNode[]): Tag | undefined {
  const [first, ...others] = branches.map((branch) => tagsOf(branch, 0))
  for (const name of first?.keys() ?? []) {
    if (!others.every((tags) => tags.has(name))) continue
    const found = new Map<unknown, SchemaNode[]>()
    for (const [index, branch] of branches.entries()) {
      const values = (index === 0 ? first : others[index - 1])?.get(name) ?? []
      for (const value of values) found.set(value, [...(found.get(value) ?? []), branch])
    }
    return { name, branches: found }
  }
  return undefined
}

function tagsOf(node: SchemaNode, depth: number): Map<string, ReadonlySet<unknown>> {
  const tags = new Map<string, ReadonlySet<unknown>>()
  if (depth > 8) return tags
  for (const same of [node.ref, ...node.allOf]) {
    if (same !== undefined) for (const [name, values] of tagsOf(same, depth + 1)) tags.set(name, values)
  }
  for (const name of node.members?.required ?? []) {
    const scalars = node.members?.properties.get(name)?.values?.scalars
    if (scalars !== undefined) tags.set(name, scalars)
  }
  return tags
}
