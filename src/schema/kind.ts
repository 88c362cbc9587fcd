/** The kinds of values that JSON has, as bits: a schema's `type` is a mask of them. */
export const kindBits = { string: 1, number: 2, boolean: 4, null: 8, array: 16, object: 32 } as const

export const everyKind = 63

/** `undefined` is of no kind, and fits no schema. */
export function kindOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return kindBits.string
    case 'number':
      return kindBits.number
    case 'boolean':
      return kindBits.boolean
    case 'undefined':
      return 0
    default:
      if (value === null) return kindBits.null
      return Array.isArray(value) ? kindBits.array : kindBits.object
  }
}
