import { isDeepStrictEqual } from 'node:util'

/**
 * Compares one setting of two policies, and says each way in which the later one lets through more. Whatever cannot be proven to let
 * through no more counts as more.
 */
export type Judge = (before: unknown, after: unknown, at: string, say: (line: string) => void) => void

export const same: (one: unknown, other: unknown) => boolean = isDeepStrictEqual

/** Any change: for what nobody here knows, and for what cannot be compared. */
export const anyChange: Judge = (before, after, at, say) => {
  if (!same(before, after)) say(`${at}: ${shown(before)} became ${shown(after)}`)
}

/** No change matters. */
export const whatever: Judge = () => {}

/** A number of which more lets through more. */
export const noMore: Judge = (before, after, at, say) => {
  if (isNumber(before) && isNumber(after) && after <= before) return
  anyChange(before, after, at, say)
}

/** A number of which less lets through more. */
export const noLess: Judge = (before, after, at, say) => {
  if (isNumber(before) && isNumber(after) && after >= before) return
  anyChange(before, after, at, say)
}

/** A switch that loosens when it is on. */
export const staysOff: Judge = (before, after, at, say) => {
  if (after !== false) anyChange(before, after, at, say)
}

/** A switch that guards while it is on. */
export const staysOn: Judge = (before, after, at, say) => {
  if (after !== true) anyChange(before, after, at, say)
}

/** Words in the order of what they let through. */
export function noLooserThan(...order: readonly unknown[]): Judge {
  return (before, after, at, say) => {
    const [from, to] = [order.indexOf(before), order.indexOf(after)]
    if (from === -1 || to === -1 || to > from) anyChange(before, after, at, say)
  }
}

/** A list with nothing in it that was not there. */
export const nothingNew: Judge = (before, after, at, say) => {
  if (!Array.isArray(before) || !Array.isArray(after)) return anyChange(before, after, at, say)
  for (const each of after) if (!before.some((known) => same(known, each))) say(`${at}: ${shown(each)} is new`)
}

/** A setting that is there or not: `missing` says whether its absence lets through more. */
export function orMissing(judge: Judge, missing: 'looser' | 'tighter'): Judge {
  return (before, after, at, say) => {
    if (before === undefined && after === undefined) return
    if (before !== undefined && after !== undefined) judge(before, after, at, say)
    else if (after === undefined && missing === 'looser') say(`${at} is gone (it was ${shown(before)})`)
    else if (before === undefined && missing === 'tighter') say(`${at}: ${shown(after)} is new`)
  }
}

/** The members of an object, each by its own judge; any change of one that has none. */
export function members(judges: Readonly<Record<string, Judge>>): Judge {
  const byName = new Map(Object.entries(judges))
  return (before, after, at, say) => {
    if (!isMembers(before) || !isMembers(after)) return anyChange(before, after, at, say)
    const [were, are] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
    for (const name of new Set([...were.keys(), ...are.keys()])) {
      const judge = byName.get(name) ?? anyChange
      judge(were.get(name), are.get(name), at === '' ? name : `${at}.${name}`, say)
    }
  }
}

/** Members with names of the application's: one more lets through more, one less does not. */
export function named(judge: Judge, how: (at: string, name: string) => string = (at, name) => `${at}.${name}`): Judge {
  return (before, after, at, say) => {
    if (!isMembers(before) || !isMembers(after)) return anyChange(before, after, at, say)
    const were = new Map(Object.entries(before))
    for (const [name, is] of Object.entries(after)) {
      const was = were.get(name)
      if (was === undefined) say(`${how(at, name)} is new`)
      else judge(was, is, how(at, name), say)
    }
  }
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

export function isMembers(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value in a line of its own. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
