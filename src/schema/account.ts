import { asks, declare, partsThatHold } from './holds.ts'
import type { SchemaNode } from './node.ts'
import { describesObjects } from './node.ts'
import type { Work } from './work.ts'

/**
 * Whether every member of a value, at every depth, is declared: by name, pattern or `additionalProperties`, in a schema about its
 * object that holds. A branch of a union that failed declares nothing, whatever it looked at. Where no schema describes objects at
 * all (`{}`), every member is let through. The value has been found to hold.
 *
 * @param nodes all that say something of `value`
 * @throws exhausted when the budget is used up
 */
export function isDeclared(value: unknown, nodes: readonly SchemaNode[], work: Work): boolean {
  if (typeof value !== 'object' || value === null || nodes.length === 0) return true
  const parts = partsOf(value, nodes, work)
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (isDeclared(item, itemNodes(parts, index), work)) continue
      work.cameFrom(index)
      return false
    }
    return true
  }
  const closed = isClosed(nodes)
  for (const name of Object.keys(value)) {
    const member: unknown = Reflect.get(value, name)
    if ((typeof member !== 'object' || member === null) && isNamed(parts, name, work)) continue
    const below = memberNodes(parts, name, value, work)
    if (below === undefined) {
      if (!closed) continue
      // The name is the client's: nothing is told of it.
      return work.refuse('additionalProperties', nodes[0]?.pointer ?? '#', 'must NOT have additional properties')
    }
    if (isDeclared(member, below, work)) continue
    work.cameFrom(name)
    return false
  }
  return true
}

/** Whether a part declares a member by itself: for a member without members that is all there is to ask. */
function isNamed(parts: readonly SchemaNode[], name: string, work: Work): boolean {
  for (const part of parts) if (declare(part, name, undefined, work)) return true
  return false
}

/** The nodes, and all about the same value that hold with them, each once. */
export function partsOf(value: object, nodes: readonly SchemaNode[], work: Work): readonly SchemaNode[] {
  const [first, ...others] = nodes
  if (first === undefined) return []
  const parts = partsThatHold(first, value, work)
  for (const node of others) {
    for (const part of partsThatHold(node, value, work)) if (!parts.includes(part)) parts.push(part)
  }
  return parts
}

/** Whether any schema describes objects here, so that members which nobody declares are refused. */
export function isClosed(nodes: readonly SchemaNode[]): boolean {
  return nodes.some((node) => closedNode(node))
}

const closedNodes = new WeakMap<SchemaNode, boolean>()

function closedNode(node: SchemaNode): boolean {
  const known = closedNodes.get(node)
  if (known !== undefined) return known
  const closed = describesObjects(node)
  closedNodes.set(node, closed)
  return closed
}

/** The verdict of the parts on an item. */
export function itemNodes(parts: readonly SchemaNode[], index: number): readonly SchemaNode[] {
  const found: SchemaNode[] = []
  for (const { list } of parts) {
    const node = list?.first[index] ?? list?.rest
    if (node !== undefined) found.push(node)
  }
  return found
}

/** The verdict of the parts on a member; `undefined` when none declares it. */
export function memberNodes(
  parts: readonly SchemaNode[],
  name: string,
  value: object,
  work: Work,
): readonly SchemaNode[] | undefined {
  const found: SchemaNode[] = []
  let declared = false
  for (const part of parts) {
    declared = declare(part, name, found, work) || declared
    const unevaluated = part.members?.unevaluated
    if (unevaluated === undefined || unevaluated.never) continue
    if (partsThatHold(part, value, work).some((each) => declare(each, name, undefined, work))) continue
    declared = true
    found.push(unevaluated)
  }
  return declared ? found : undefined
}

/** Whether a node holds for a value, and nothing of it is undeclared. */
export function fits(node: SchemaNode, value: unknown, work: Work): boolean {
  return asks(node, value, work) && isDeclared(value, [node], work)
}
