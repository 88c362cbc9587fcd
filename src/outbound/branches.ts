import { isClosed, itemNodes, memberNodes } from '../schema/account.ts'
import { holds, partsThatHold } from '../schema/holds.ts'
import type { SchemaNode } from '../schema/node.ts'
import type { Work } from '../schema/work.ts'
import { Bare, type Notes, noHolder, type Place, type Special } from './projection.ts'

/**
 * Copies what the branches that hold declare. Where they declare every member that was given, all of them count, as on the way in;
 * where something has to go, the first one of each union decides, so that a row of the database which fits a short shape and a long
 * one is sent in the one that was written first.
 *
 * @returns `undefined` when the schema does not hold; `work` then says why
 */
export function keepDeclared(
  root: SchemaNode,
  copy: unknown,
  place: Place | undefined,
  notes: Notes,
  work: Work,
): Kept | undefined {
  if (!holds(root, copy, work)) return undefined
  const keeper: Keeper = { notes, work, specials: [], dropped: 0 }
  const kept = keep(copy, [root], place, { holder: noHolder, key: place?.key ?? '' }, keeper)
  return { copy: kept, specials: keeper.specials, dropped: keeper.dropped }
}

interface Kept {
  readonly copy: unknown
  readonly specials: readonly Special[]
  /** The members that were left out of what was given here. */
  readonly dropped: number
}

interface Keeper {
  readonly notes: Notes
  readonly work: Work
  readonly specials: Special[]
  dropped: number
}

interface Origin {
  readonly holder: object
  readonly key: string | number
}

function keep(
  value: unknown,
  nodes: readonly SchemaNode[],
  place: Place | undefined,
  origin: Origin,
  keeper: Keeper,
): unknown {
  if (typeof value === 'string') return keepText(value, nodes, place, origin, keeper)
  if (typeof value !== 'object' || value === null) return value
  const parts = chosenParts(value, nodes, keeper)
  if (Array.isArray(value)) {
    return value.map((item, key) =>
      keep(item, itemNodes(parts, key), { above: place, key }, { holder: value, key }, keeper),
    )
  }
  const kept = new Bare()
  const closed = isClosed(nodes)
  for (const [key, member] of Object.entries(value)) {
    const below = memberNodes(parts, key, value, keeper.work)
    if (below === undefined && closed) {
      keeper.dropped += 1
      continue
    }
    kept[key] = keep(member, below ?? [], { above: place, key }, { holder: value, key }, keeper)
  }
  return kept
}

function keepText(
  text: string,
  nodes: readonly SchemaNode[],
  place: Place | undefined,
  { holder, key }: Origin,
  { notes, work, specials }: Keeper,
): string {
  const parts = nodes.flatMap((node) => firstParts(node, text, work))
  const kinds = [
    ...(parts.some(({ html }) => html) ? ['html' as const] : []),
    ...(parts.some(({ url }) => url) ? ['url' as const] : []),
  ]
  if (place !== undefined) {
    const markup = notes.markup?.get(holder)?.get(key)
    if (markup !== undefined && !kinds.includes('html')) notes.shown ??= place
    for (const kind of kinds) specials.push({ kind, place, given: markup ?? text })
  }
  return text
}

function chosenParts(value: object, nodes: readonly SchemaNode[], { notes, work }: Keeper): readonly SchemaNode[] {
  if (!nodes.some(({ composed }) => composed)) return nodes
  const first = () => [...new Set(nodes.flatMap((node) => firstParts(node, value, work)))]
  if (notes.partial?.has(value) === true) return first()
  const all = [...new Set(nodes.flatMap((node) => partsThatHold(node, value, work)))]
  return Object.keys(value).every((name) => isDeclaredBy(all, name, value, work)) ? all : first()
}

function isDeclaredBy(parts: readonly SchemaNode[], name: string, value: object, work: Work): boolean {
  return Array.isArray(value) || memberNodes(parts, name, value, work) !== undefined
}

/** Of each union, the first branch that holds. */
function firstParts(node: SchemaNode, value: unknown, work: Work): SchemaNode[] {
  return partsThatHold(node, value, work, true)
}
