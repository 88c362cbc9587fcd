import { isDeclared } from './account.ts'
import type { SchemaTree } from './compile.ts'
import { compileTree } from './compile.ts'
import { holds } from './holds.ts'
import type { PlainSchema } from './plain-schema.ts'
import type { Straight } from './straight.ts'
import { isFine, straighten } from './straight.ts'
import { refuseLoose } from './strict.ts'
import type { Fault } from './work.ts'
import { exhausted, tooMuchWork, Work } from './work.ts'

/** A schema ready to judge values. */
export interface CheckedSchema extends SchemaTree {
  /** Says yes to most values that are fine; where it says no, the tree says why. */
  readonly straight: Straight | undefined
}

/** The verdict of a schema on a value, and its cost. */
export interface Finding {
  /** `undefined`: it holds, and every member is declared. */
  readonly fault: Fault | undefined
  readonly visits: number
}

/**
 * Compiles a copied schema, for both directions.
 *
 * @throws SWS_BAD_OPTION
 */
export function compilePlain(plain: PlainSchema, path: string, outward: boolean): CheckedSchema {
  const tree = compileTree(plain, path, outward)
  refuseLoose(plain, path)
  return { ...tree, straight: straighten(tree.root) }
}

/**
 * Checks a value: a schema that holds, every member declared, and no more work than the value weighs.
 *
 * @param checks how often a value of this schema is checked, all within that work
 */
export function checkValue(schema: CheckedSchema, value: unknown, checks = 1): Finding {
  return checkWith(schema, value, new Work(value, false, undefined, checks))
}

/** As `checkValue`, with answers that are wanted again: `work` is a strict one of this value. */
export function checkWith({ root, branches, straight }: CheckedSchema, value: unknown, work: Work): Finding {
  try {
    if (straight !== undefined && isFine(straight, value, work)) return { fault: undefined, visits: work.visits }
    work.startAgain()
    const valid = holds(root, value, work) && (!branches || isDeclared(value, [root], work))
    return { fault: valid ? undefined : work.toFault(), visits: work.visits }
  } catch (cause) {
    if (cause !== exhausted) throw cause
    return { fault: tooMuchWork, visits: work.visits }
  }
}
