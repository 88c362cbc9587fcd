import { type Ajv, str } from 'ajv'

/**
 * JSON Schema counts code points, which ajv does by reading the text: for 16 KiB, longer than serializing it takes. A text
 * has at most as many of them as UTF-16 units and at least half as many, which nearly always decides.
 */
export function countLengthsQuickly(ajv: Ajv): void {
  ajv.removeKeyword('maxLength').addKeyword({
    keyword: 'maxLength',
    type: 'string',
    schemaType: 'number',
    error: { message: ({ schemaCode }) => str`must NOT have more than ${schemaCode} characters` },
    compile: (limit: number) => (text: string) =>
      text.length <= limit || (text.length <= 2 * limit && codePoints(text) <= limit),
  })
  ajv.removeKeyword('minLength').addKeyword({
    keyword: 'minLength',
    type: 'string',
    schemaType: 'number',
    error: { message: ({ schemaCode }) => str`must NOT have fewer than ${schemaCode} characters` },
    compile: (limit: number) => (text: string) =>
      text.length >= limit && (text.length >= 2 * limit || codePoints(text) >= limit),
  })
}

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
