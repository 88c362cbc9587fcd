import { badOption } from '../errors.ts'
import { closest } from '../option-checks.ts'
import { formatKinds } from './formats.ts'

interface Shape {
  fits(value: unknown): boolean
  readonly advice: string
}

const isText = (value: unknown) => typeof value === 'string'
const isNames = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText)
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0

const count: Shape = { fits: isCount, advice: 'Write a whole number, 0 or more.' }
const number: Shape = { fits: (value) => Number.isFinite(value), advice: 'Write a number.' }
const flag: Shape = { fits: (value) => typeof value === 'boolean', advice: 'Write `true` or `false`.' }
const text: Shape = { fits: isText, advice: 'Write a string.' }
const names: Shape = {
  fits: (value) => isNames(value) && new Set(value).size === value.length,
  advice: 'Write a list of names, each once.',
}
const schemas: Shape = {
  fits: (value) => Array.isArray(value) && value.length > 0,
  advice: 'Write a list of schemas, one at least.',
}

/** The values that a keyword can have, for those that have no part of the copying to themselves. */
const shapes: ReadonlyMap<string, Shape> = new Map([
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minContains', 'maxContains'].map(of(count)),
  ...['minProperties', 'maxProperties'].map(of(count)),
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map(of(number)),
  ...['uniqueItems', 'nullable', 'deprecated', 'readOnly', 'writeOnly'].map(of(flag)),
  ...['title', 'description', '$comment'].map(of(text)),
  ...['anyOf', 'oneOf', 'allOf'].map(of(schemas)),
  ['required', names],
  ['multipleOf', { fits: (value) => Number.isFinite(value) && Number(value) > 0, advice: 'Write a number above 0.' }],
  [
    'enum',
    { fits: (value) => Array.isArray(value) && value.length > 0, advice: 'Write a list of the values, one at least.' },
  ],
  ['examples', { fits: Array.isArray, advice: 'Write a list.' }],
  [
    'dependentRequired',
    {
      fits: (value) => typeof value === 'object' && value !== null && Object.values(value).every(names.fits),
      advice: 'Write an object of lists of names, each once: `{ street: ["town"] }`.',
    },
  ],
])

function of(shape: Shape): (keyword: string) => [string, Shape] {
  return (keyword) => [keyword, shape]
}

const types = ['string', 'number', 'integer', 'boolean', 'null', 'array', 'object']

/** @throws SWS_BAD_OPTION for a value that the keyword cannot have */
export function checkKeywordValue(
  keyword: string,
  value: unknown,
  schema: Readonly<Record<string, unknown>>,
  path: string,
): void {
  const shape = shapes.get(keyword)
  if (shape !== undefined && !shape.fits(value)) throw badOption(path, value, shape.advice)
  if (keyword === 'type') checkType(value, path)
  if (keyword === 'format') checkFormat(value, schema, path)
}

function checkType(value: unknown, path: string): void {
  const named: readonly unknown[] = Array.isArray(value) ? value : [value]
  const stray = named.find((type) => !types.includes(String(type)))
  const list = types.map((type) => `'${type}'`).join(', ')
  if (named.length === 0 || stray !== undefined) {
    throw badOption(path, value, `Write one of ${list}, or a list of them.${meant(stray, types)}`)
  }
  if (new Set(named).size < named.length) throw badOption(path, value, 'Write each type once.')
}

/** A format of another type asks nothing. */
function checkFormat(value: unknown, { type }: Readonly<Record<string, unknown>>, path: string): void {
  const kind = formatKinds.get(String(value))
  if (kind === undefined) {
    const known = [...formatKinds.keys()]
    throw badOption(path, value, `There is no such format.${meant(value, known)} Known are ${known.join(', ')}.`)
  }
  const named: readonly unknown[] = Array.isArray(type) ? type : [type]
  if (type === undefined || named.includes(kind) || (kind === 'number' && named.includes('integer'))) return
  throw badOption(
    path,
    value,
    `It is a format of a ${kind}, and would not be asked: write \`type: '${kind}'\`, or leave it out.`,
  )
}

function meant(name: unknown, known: readonly string[]): string {
  const near = typeof name === 'string' ? closest(name, known) : undefined
  return near === undefined ? '' : ` Did you mean '${near}'?`
}

/** Keywords that ask nothing without another one beside them. */
const needs: readonly (readonly [keyword: string, others: readonly string[], advice: string])[] = [
  ['then', ['if'], 'It is asked where `if` holds: write `if`, or leave it out.'],
  ['else', ['if'], 'It is asked where `if` does not hold: write `if`, or leave it out.'],
  ['if', ['then', 'else'], 'It decides between `then` and `else`: write one of them, or leave it out.'],
  ['minContains', ['contains'], 'It counts the items of `contains`: write `contains`, or leave it out.'],
  ['maxContains', ['contains'], 'It counts the items of `contains`: write `contains`, or leave it out.'],
  ['nullable', ['type'], "It widens `type`: write `type` beside it, or `anyOf: [..., { type: 'null' }]`."],
]

/** @throws SWS_BAD_OPTION for a keyword that would not be asked, or says too little, for want of another one beside it */
export function checkBeside(schema: Readonly<Record<string, unknown>>, path: string): void {
  for (const [keyword, others, advice] of needs) {
    if (!(keyword in schema) || others.some((other) => other in schema)) continue
    throw badOption(`${path}.${keyword}`, '(alone)', advice)
  }
  const { minContains = 1, maxContains = Number.POSITIVE_INFINITY } = schema
  if (minContains === 0 && !('maxContains' in schema)) {
    throw badOption(`${path}.minContains`, 0, 'So `contains` asks nothing: write `maxContains`, or leave both out.')
  }
  if (Number(minContains) > Number(maxContains)) {
    throw badOption(
      `${path}.maxContains`,
      maxContains,
      'No list can have so few and so many: write `minContains` or more.',
    )
  }
  if ('additionalItems' in schema && !(Array.isArray(schema.items) && schema.items.length > 0)) {
    throw badOption(
      `${path}.additionalItems`,
      '(without a list)',
      'It is about what follows a list of `items`: write that list, or `items` with the schema of all of them.',
    )
  }
  if (Array.isArray(schema.items) && schema.items.length === 0) {
    throw badOption(`${path}.items`, '(an empty list)', 'Write the schema of the items, or a list of the first ones.')
  }
  if (Array.isArray(schema.items) && schema.additionalItems === undefined) {
    throw badOption(`${path}.items`, '(a list)', 'Say what may follow: `additionalItems: false`, or a schema.')
  }
  const named = Array.isArray(schema.type) ? schema.type : [schema.type]
  if (schema.nullable === false && named.includes('null')) {
    throw badOption(`${path}.nullable`, false, "`type` has 'null': take it out there, or leave `nullable` out.")
  }
}
