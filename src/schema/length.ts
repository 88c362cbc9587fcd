import type { Ajv } from 'ajv'
import { ajvModule } from './ajv.ts'

/**
 * JSON Schema counts code points, which ajv does by reading the whole text: for 16 KiB, longer than serializing it takes.
 * A text has at most as many of them as UTF-16 units, so it is read only where that leaves the question open.
 */
export function countLengthsQuickly(ajv: Ajv): void {
  const { str } = ajvModule()
  ajv.removeKeyword('maxLength').addKeyword({
    keyword: 'maxLength',
    type: 'string',
    // An over-long text never reaches a regular expression.
    before: 'pattern',
    error: { message: ({ schemaCode }) => str`must NOT have more than ${schemaCode} characters` },
    compile: (limit: number) => (text: string) => !reaches(text, limit + 1),
  })
  ajv.removeKeyword('minLength').addKeyword({
    keyword: 'minLength',
    type: 'string',
    before: 'pattern',
    error: { message: ({ schemaCode }) => str`must NOT have fewer than ${schemaCode} characters` },
    compile: (limit: number) => (text: string) => reaches(text, limit),
  })
}

/** Whether `text` has at least `count` code points. */
function reaches(text: string, count: number): boolean {
  if (text.length < count) return false
  let missing = count
  for (const _ of text) {
    if (missing <= 0) break
    missing -= 1
  }
  return missing <= 0
}

export function countCodePoints(text: string): number {
  let count = text.length
  for (let at = 1; at < text.length; at++) {
    const isPair = (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800
    if (isPair) count--
  }
  return count
}
