import { anyChange, type Judge, shown } from './judge.ts'

/** Origins and patterns of origins (`explain().origins`), of which none admits a page that was not admitted before. */
export const origins: Judge = (before, after, at, say) => {
  // A function is not looked into, here or before.
  if (before === 'any' || before === after) return
  if (!Array.isArray(before) || !Array.isArray(after)) return anyChange(before, after, at, say)
  for (const each of after) {
    if (!before.some((known) => covers(String(known), String(each)))) say(`${at}: ${shown(each)} is new`)
  }
}

interface Pattern {
  readonly scheme: string
  /** Labels in front of the parent: none, one, or as many as there are. */
  readonly stars: '' | '*.' | '**.'
  readonly rest: string
}

/** Whether every origin that `inner` admits is one that `outer` admits. */
export function covers(outer: string, inner: string): boolean {
  if (outer === inner) return true
  const [wide, narrow] = [read(outer), read(inner)]
  if (wide === undefined || narrow === undefined || wide.scheme !== narrow.scheme || wide.stars === '') return false
  if (wide.rest === narrow.rest) return wide.stars === '**.' && narrow.stars !== ''
  if (!narrow.rest.endsWith(`.${wide.rest}`)) return false
  if (wide.stars === '**.') return true
  const front = narrow.rest.slice(0, -wide.rest.length - 1)
  return narrow.stars === '' && !front.includes('.')
}

function read(text: string): Pattern | undefined {
  const [, scheme = '', stars = '', rest = ''] = /^(https?):\/\/(\*\*\.|\*\.|)([^*/]+)$/.exec(text) ?? []
  return scheme === '' ? undefined : { scheme, stars: stars === '*.' || stars === '**.' ? stars : '', rest }
}
