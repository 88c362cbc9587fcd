/** The parts of schemas that refer to themselves, for the tests of what a message costs on its way in and out. */
export const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })

export const node = { $ref: '#/$defs/node' }

/** Five ways to hold a node: each level of a value fits several of them. */
export const containers = [
  object({ a: node }),
  object({ a: node, b: { type: 'null' } }),
  { type: 'object', additionalProperties: node },
  object({}, { patternProperties: { '^a': node } }),
  { allOf: [object({ a: node })] },
]

/** `{ a: { a: ... } }` of so many levels, each with the members given. */
export function nested(levels: number, more: object = {}): object {
  let value: object = { ...more }
  for (let level = 0; level < levels; level++) value = { ...more, a: value }
  return value
}
