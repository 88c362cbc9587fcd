import { nameOf } from '../schema/json-pointer.ts'

/** A part of a document: its own members alone, whatever their names are. */
export type Part = ReadonlyMap<string, unknown>

/** A member that is an object, as a part; an empty one where it is none. */
export function partOf(value: unknown): Part {
  return new Map(isObject(value) ? Object.entries(value) : [])
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

const mostSteps = 32

/** A document of somebody else's: references are followed inside it, and nowhere else. */
export class ContractDocument {
  readonly root: Part
  readonly #whole: unknown

  /** @throws Error for what is no AsyncAPI 3 document */
  constructor(text: string) {
    this.#whole = JSON.parse(text)
    this.root = partOf(this.#whole)
    const version = this.root.get('asyncapi')
    if (typeof version !== 'string' || !version.startsWith('3.')) throw new Error('This is no AsyncAPI 3 document.')
  }

  /** The value that a JSON pointer `#/a/b` points at. @throws Error where it points at nothing */
  at(pointer: string): unknown {
    let found: unknown = this.#whole
    if (pointer !== '#' && !pointer.startsWith('#/')) throw new Error('A reference leads out of the document.')
    for (const step of pointer.split('/').slice(1)) {
      const name = nameOf(step)
      if (name === undefined || typeof found !== 'object' || found === null || !Object.hasOwn(found, name))
        throw new Error('A reference points at nothing.')
      found = Reflect.get(found, name)
    }
    return found
  }

  /** The value behind the references that stand in its place. @throws Error for references in a circle */
  target(value: unknown): unknown {
    let found = value
    for (let steps = 0; ; steps++) {
      const pointer = partOf(found).get('$ref')
      if (typeof pointer !== 'string') return found
      if (steps === mostSteps) throw new Error('References lead in a circle.')
      found = this.at(pointer)
    }
  }

  /** The same, as a part. */
  resolved(value: unknown): Part {
    return partOf(this.target(value))
  }
}
