import { LocationMap } from '../schema/location.ts'
import type { PlainSchema } from '../schema/plain-schema.ts'
import { checkWith, compilePlain } from '../schema/schema.ts'
import type { Fault } from '../schema/work.ts'
import { exhausted, tooMuchWork, Work } from '../schema/work.ts'
import { keepDeclared } from './branches.ts'
import { copyDeclared, emptyNotes, type Notes, type Place, type Special } from './projection.ts'

/** The declared part of a value, the fault that is left in it, and its cost. */
export interface Projected {
  readonly copy: unknown
  readonly specials: readonly Special[]
  readonly fault: Fault | undefined
  /** The place of markup that was given for a text. */
  readonly shown: Place | undefined
  /** Looks of schemas at the value, its members and their names: at most in proportion to its size. */
  readonly visits: number
}

/** @param type of a message, which is a member of it only where the schema names it */
export type Projection = (given: unknown, place: Place | undefined, type?: unknown) => Projected

/**
 * Compiles a copied schema (`copySchema`) for what leaves.
 *
 * @throws SecureWsError SWS_BAD_OPTION
 */
export function compileProjection(plain: PlainSchema, path: string): Projection {
  const tree = compilePlain(plain, path, true)
  const location = new LocationMap().at([tree.root])
  const namesType = location.byName('type') !== undefined

  function projected(value: unknown, place: Place | undefined, type: unknown, notes: Notes): Projected {
    const draft = value === undefined ? undefined : copyDeclared(value, location, place, notes)
    if (place === undefined && namesType && typeof draft === 'object') Object.assign(draft ?? {}, { type })
    // One budget for all of it: a sending may ask the schema three times.
    const strict = new Work(draft, false, notes)
    const { fault } = checkWith(tree, draft, strict)
    notes.visits = strict.visits
    const fits = fault === undefined
    // Where nothing was dropped and no branch says how a text is treated, a value that fits as it is stays as it is.
    if (!tree.branches || (fits && notes.partial === undefined && notes.specials.length === 0)) {
      return told(draft, notes.specials, fault, notes)
    }
    // So does one that a branch which holds declares all of: only members that would be refused may be missing.
    const work = fits ? strict : new Work(draft, true, notes)
    try {
      const kept = keepDeclared(tree.root, draft, place, notes, work)
      notes.visits = work.visits
      if (kept === undefined) return told(draft, [], work.toFault(), notes)
      const { copy, specials } = kept
      if (fits && kept.dropped === 0) return told(copy, specials, undefined, notes)
      // Without what was dropped, another branch may hold, or none: what is sent is what would be received.
      const left = checkWith(tree, copy, new Work(copy, false, notes))
      notes.visits = left.visits
      return told(copy, specials, left.fault, notes)
    } catch (cause) {
      notes.visits = work.visits
      throw cause
    }
  }

  return (value, place, type) => {
    const notes = emptyNotes()
    try {
      return projected(value, place, type, notes)
    } catch (cause) {
      if (cause !== exhausted) throw cause
      return { copy: undefined, specials: [], fault: tooMuchWork, shown: undefined, visits: notes.visits }
    }
  }
}

function told(
  copy: unknown,
  specials: readonly Special[],
  fault: Fault | undefined,
  { shown, visits }: Notes,
): Projected {
  return { copy, specials, fault, shown, visits }
}
