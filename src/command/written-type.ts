/** A type as it is written, and how tightly its parts hold together: what it is put into may need brackets around it. */
export interface WrittenType {
  readonly text: string
  readonly holds: 'alone' | 'intersection' | 'union'
}

export const unknownType: WrittenType = { text: 'unknown', holds: 'alone' }
export const neverType: WrittenType = { text: 'never', holds: 'alone' }

export function alone(text: string): WrittenType {
  return { text, holds: 'alone' }
}

export function unionOf(types: readonly WrittenType[]): WrittenType {
  const each = new Map(types.map((type) => [type.text, type]))
  if (each.has('unknown')) return unknownType
  each.delete('never')
  const [only = neverType, ...others] = each.values()
  if (others.length === 0) return only
  return { text: [only, ...others].map(({ text }) => text).join(' | '), holds: 'union' }
}

export function intersectionOf(types: readonly WrittenType[]): WrittenType {
  const [only = unknownType, ...others] = types.filter(({ text }) => text !== 'unknown')
  if (others.length === 0) return only
  return { text: [only, ...others].map((type) => within(type, 'union')).join(' & '), holds: 'intersection' }
}

export function listOfType(type: WrittenType): WrittenType {
  return alone(`${single(type)}[]`)
}

/** In brackets where it has parts of its own. */
export function single(type: WrittenType): string {
  return type.holds === 'alone' ? type.text : `(${type.text})`
}

function within(type: WrittenType, looser: WrittenType['holds']): string {
  return type.holds === looser ? `(${type.text})` : type.text
}
