import { isClosed, itemNodes } from './account.ts'
import { kindBits } from './kind.ts'
import type { SchemaNode } from './node.ts'
import { inPlaceOf } from './node.ts'

/** Of twenty patterns a name may match a million combinations, and it is a client who tries them. */
const mostKept = 4_096

/**
 * The place of a value of which it is not known yet which branches hold: every schema that may say something of it. A member that
 * none of them declares cannot be declared, whatever the value is.
 */
export class Location {
  readonly nodes: readonly SchemaNode[]
  /** Whether whatever holds describes objects; otherwise every member may be let through. */
  readonly closed: boolean
  readonly html: boolean
  readonly url: boolean
  /** The looks that one name takes: one for each pattern, once it is known where they lead. */
  readonly cost: number
  readonly #map: LocationMap
  /** The members that the schema has by name, in the order of writing: those of a record are chosen by whoever wrote it. */
  readonly named: readonly NamedMember[]
  readonly #byName: ReadonlyMap<string, NamedMember>
  readonly #patterns: readonly RegExp[]
  readonly #others = new Map<string, Location | undefined>()
  readonly #lists: boolean
  /** How many items have schemas of their own, in any schema. */
  readonly #tuple: number
  readonly #first: (Location | undefined)[] = []
  #items: Location | undefined

  constructor(nodes: readonly SchemaNode[], closed: boolean, map: LocationMap) {
    this.nodes = nodes
    this.#map = map
    this.closed = closed
    this.html = nodes.some(({ html }) => html)
    this.url = nodes.some(({ url }) => url)
    this.#lists = nodes.some(({ list }) => list !== undefined)
    this.#tuple = Math.max(0, ...nodes.map(({ list }) => list?.first.length ?? 0))
    const names = new Set(nodes.flatMap(({ members }) => [...(members?.properties.keys() ?? [])]))
    this.named = Array.from(names, (name, index) => new NamedMember(name, index, (each) => this.#find(each)))
    this.#byName = new Map(this.named.map((each) => [each.name, each]))
    const patterns = new Map(
      nodes.flatMap(({ members }) => (members?.patterns ?? []).map(([each]) => [each.source, each])),
    )
    this.#patterns = [...patterns.values()]
    this.cost = 1 + patterns.size
  }

  /** A member that is declared as a property, and not only as one of many. */
  byName(name: string): NamedMember | undefined {
    return this.#byName.get(name)
  }

  /**
   * A member that no schema names: where it stands depends on the patterns that match, and on nothing else of its name. `undefined`: no
   * branch declares it.
   */
  unnamed(name: string): Location | undefined {
    let matches = ''
    for (const pattern of this.#patterns) matches += pattern.test(name) ? '1' : '0'
    const known = this.#others.get(matches)
    if (known !== undefined || this.#others.has(matches)) return known
    const location = this.#find(name)
    if (this.#others.size < mostKept) this.#others.set(matches, location)
    return location
  }

  #find(name: string): Location | undefined {
    const found: SchemaNode[] = []
    let declared = false
    for (const { members } of this.nodes) {
      if (members === undefined) continue
      const { properties, patterns, additional, unevaluated } = members
      const below = [properties.get(name), ...patterns.flatMap(([pattern, each]) => (pattern.test(name) ? [each] : []))]
      const given = below.filter((each) => each !== undefined)
      const said = given.length > 0 ? given : isGiven(additional) ? [additional] : []
      if (isGiven(unevaluated)) said.push(unevaluated)
      for (const each of said) {
        if (each.never) continue
        declared = true
        found.push(each)
      }
    }
    if (!declared) return this.closed ? undefined : this.#map.at([])
    return this.#map.at(found, !this.closed)
  }

  item(index: number): Location {
    const known = index < this.#tuple ? this.#first[index] : this.#items
    return known ?? this.#findItem(index)
  }

  #findItem(index: number): Location {
    if (!this.#lists) {
      this.#items = this.#map.at([])
      return this.#items
    }
    // The schema that holds may be one that says nothing of items: another one here, or one above.
    const open = this.nodes.length > 1 || !this.closed
    if (index < this.#tuple) {
      const location = this.#map.at(itemNodes(this.nodes, index), open)
      this.#first[index] = location
      return location
    }
    this.#items = this.#map.at(itemNodes(this.nodes, Number.MAX_SAFE_INTEGER), open)
    return this.#items
  }
}

/** A member that a schema has by name. */
class NamedMember {
  readonly name: string
  /** Among those of its object. */
  readonly index: number
  #find: ((name: string) => Location | undefined) | undefined
  #location: Location | undefined

  constructor(name: string, index: number, find: (name: string) => Location | undefined) {
    this.name = name
    this.index = index
    this.#find = find
  }

  /** Found when it is first asked for, for a schema may be one of its own members. `undefined`: no branch declares it. */
  get location(): Location | undefined {
    if (this.#find !== undefined) {
      this.#location = this.#find(this.name)
      this.#find = undefined
    }
    return this.#location
  }
}

function isGiven(node: SchemaNode | undefined): node is SchemaNode {
  return node !== undefined && !node.never
}

/** The locations of one schema, each once. */
export class LocationMap {
  readonly #known = new Map<string, Location>()

  /** @param open whether schemas that say nothing of this value may be all that hold */
  at(nodes: readonly SchemaNode[], open = false): Location {
    const all = new Set<SchemaNode>()
    for (const node of nodes) addInPlace(node, all)
    const list = [...all].sort((one, other) => one.id - other.id)
    const closed =
      !open && nodes.length > 0 && nodes.every((node) => isClosed([node]) || (node.kinds & kindBits.object) === 0)
    const key = `${closed}:${list.map(({ id }) => id).join()}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const location = new Location(list, closed, this)
    if (this.#known.size < mostKept) this.#known.set(key, location)
    return location
  }
}

function addInPlace(node: SchemaNode, all: Set<SchemaNode>): void {
  if (all.has(node)) return
  all.add(node)
  for (const same of inPlaceOf(node)) addInPlace(same, all)
  if (node.condition !== undefined) addInPlace(node.condition, all)
}
