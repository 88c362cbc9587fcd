import type { KeyObject } from 'node:crypto'
import { parseDenial } from '../relay/envelope.ts'
import { isSigned, sign } from '../relay/signature.ts'
import type { Denial } from '../session/denials.ts'

/** What a fact is about, for its signature. Not a topic: a topic holds no blank. */
const about = 'stored denial'

/** How a denial is kept under its name: `<at>:<until>:<signature>`. */
export function writeFact(denial: Denial, keys: readonly KeyObject[]): readonly [name: string, fact: string] {
  const name = `${denial.kind}:${denial.id}`
  const said = `${denial.at}:${denial.until}`
  const [key] = keys
  if (key === undefined) throw new Error('every secret of the bus is past its `validUntil`')
  return [name, `${said}:${sign(key, about, `${name}=${said}`)}`]
}

/** The sum of two denials of one name. */
export function laterOf(one: Denial, other: Denial): Denial {
  return { ...one, at: Math.max(one.at, other.at), until: Math.max(one.until, other.until) }
}

/** The content of a name: one fact, or two, of which one lasts longer and the other is later. */
export interface ReadFact {
  /** What the facts that were signed say together. */
  readonly denial?: Denial
  /** One of them cannot be read, or was signed by somebody else. */
  readonly isForged: boolean
  /** Whether an entry was signed by a key that signs no more, and will not be known for ever. */
  readonly isOutdated: boolean
}

/** Total: Redis is written by whoever can reach it. */
export function readFact(name: string, kept: string, keys: readonly KeyObject[]): ReadFact {
  let denial: Denial | undefined
  let isForged = kept === ''
  let isOutdated = false
  const parts = kept.split(' ', 3)
  for (const part of parts.length > 2 ? [''] : parts) {
    const one = readPart(name, part, keys)
    if (one === undefined) isForged = true
    else denial = denial === undefined ? one.denial : laterOf(one.denial, denial)
    isOutdated ||= one?.isOutdated ?? false
  }
  return { ...(denial && { denial }), isForged, isOutdated }
}

function readPart(
  name: string,
  part: string,
  keys: readonly KeyObject[],
): { readonly denial: Denial; readonly isOutdated: boolean } | undefined {
  const [, at = '', until = '', signature = ''] = /^(\d{1,16}):(\d{1,16}):([A-Za-z0-9_-]{43})$/.exec(part) ?? []
  const said = `${name}=${at}:${until}`
  const isOutdated = !isSigned(signature, about, said, keys.slice(0, 1))
  if (isOutdated && !isSigned(signature, about, said, keys.slice(1))) return undefined
  const [kind, id] = name.split(':')
  const denial = parseDenial({ kind, id, at: Number(at), until: Number(until) })
  return denial && { denial, isOutdated }
}
