import type { Format } from 'ajv'
import { formatsModule } from './ajv.ts'

/**
 * The formats of ajv-formats, each behind a cap on the length (UTF-16 units) that it is checked at all: their expressions are
 * somebody else's and some are quadratic (MS-09). The caps are the longest the format's own RFC allows, or generous.
 * Left out: `url` (quadratic; `uri` does), `regex` (nobody should compile what a client wrote), `uri-template`, `iso-*`,
 * `password` and `binary` (check nothing).
 */
const caps: readonly (readonly [name: string, longest: number])[] = [
  ['date', 10],
  ['time', 64],
  ['date-time', 64],
  ['duration', 128],
  ['email', 320],
  ['hostname', 254],
  ['ipv4', 15],
  ['ipv6', 45],
  ['uri', 8192],
  ['uri-reference', 8192],
  ['uuid', 45],
  ['json-pointer', 8192],
  ['relative-json-pointer', 8192],
]

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Makes the formats that a received message may name. */
export function messageFormats(): ReadonlyMap<string, Format> {
  return new Map<string, Format>([
    ...caps.map(([name, longest]) => [name, capped(name, longest)] as const),
    // Our own: the one of ajv-formats matches line by line, so one good line lets any other in.
    ['byte', { type: 'string', validate: (text: string) => base64.test(text) }],
    ['int32', { type: 'number', validate: (value: number) => Number.isInteger(value) && value === (value | 0) }],
    ['int64', { type: 'number', validate: (value: number) => Number.isSafeInteger(value) }],
    ['float', { type: 'number', validate: () => true }],
    ['double', { type: 'number', validate: () => true }],
  ])
}

function capped(name: string, longest: number): Format {
  const check = checkOf(Reflect.get(formatsModule().fullFormats, name))
  return { type: 'string', validate: (text: string) => text.length <= longest && check(text) }
}

function checkOf(format: unknown): (text: string) => boolean {
  if (format instanceof RegExp) return (text) => format.test(text)
  if (typeof format === 'function') return (text) => format(text) === true
  if (typeof format === 'object' && format !== null && 'validate' in format) return checkOf(format.validate)
  throw new TypeError('ajv-formats no longer has a format this package relies on')
}
