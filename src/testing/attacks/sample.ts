/** A JSON Schema, as far as it is read here. */
export type AnySchema = Readonly<Record<string, unknown>>

/** A value for which no sample can be made: an example has to be written. */
export const noSample = Symbol('no sample')

/** So deep a schema is followed: one that refers to itself has no end. */
const deepest = 12

/**
 * Makes a value that fits a schema, as short as it may be. `noSample` where a keyword asks for something that has to be known: then
 * the test writes one in `samples`.
 */
export function sampleOf(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (schema === true) return 'a'
  if (!isSchema(schema) || depth > deepest) return noSample
  for (const own of ['const', 'default', 'examples'] as const) {
    if (!Object.hasOwn(schema, own)) continue
    return own === 'examples' ? (Object(schema[own])[0] ?? noSample) : schema[own]
  }
  const { enum: list, $ref: reference, anyOf, oneOf, allOf } = schema
  if (Array.isArray(list)) return list[0] ?? noSample
  if (typeof reference === 'string') return sampleOf(referred(reference, root), root, depth + 1)
  for (const choice of [anyOf, oneOf]) if (Array.isArray(choice)) return firstSample(choice, root, depth)
  if (Array.isArray(allOf)) return joinedSample([{ ...schema, allOf: undefined }, ...allOf], root, depth)
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'string':
      return textFor(schema)
    case 'integer':
    case 'number':
      return numberFor(schema)
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return listFor(schema, root, depth)
    case 'object':
      return objectFor(schema, root, depth)
    default:
      return isSchema(schema.properties) ? objectFor(schema, root, depth) : noSample
  }
}

export function isSchema(value: unknown): value is AnySchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The part of a schema that `#/$defs/a` names. */
export function referred(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#')) return undefined
  return reference
    .slice(1)
    .split('/')
    .filter((part) => part !== '')
    .reduce<unknown>(
      (found, part) => Object(found)[decodeURIComponent(part).replace(/~1/g, '/').replace(/~0/g, '~')],
      root,
    )
}

function firstSample(choices: readonly unknown[], root: unknown, depth: number): unknown {
  const samples = choices.map((choice) => sampleOf(choice, root, depth + 1))
  return samples.find((sample) => sample !== noSample) ?? noSample
}

function joinedSample(parts: readonly AnySchema[], root: unknown, depth: number): unknown {
  const samples = parts
    .filter((part) => part.type !== undefined || part.properties !== undefined || part.$ref !== undefined)
    .map((part) => sampleOf(part, root, depth + 1))
  if (samples.length === 1) return samples[0]
  return samples.length > 0 && samples.every(isSchema) ? Object.assign({}, ...samples) : noSample
}

function objectFor({ properties, required, minProperties }: AnySchema, root: unknown, depth: number): unknown {
  if (typeof minProperties === 'number' && minProperties > Object.keys(Object(properties)).length) return noSample
  const needed = new Set(Array.isArray(required) ? required : [])
  const made: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(Object(properties))) {
    const sample = sampleOf(schema, root, depth + 1)
    if (sample !== noSample) made[name] = sample
    else if (needed.has(name)) return noSample
  }
  return [...needed].every((name) => Object.hasOwn(made, String(name))) ? made : noSample
}

function listFor({ items, prefixItems, minItems, uniqueItems }: AnySchema, root: unknown, depth: number): unknown {
  const least = typeof minItems === 'number' ? minItems : 0
  if (Array.isArray(prefixItems)) {
    const list = prefixItems.map((each) => sampleOf(each, root, depth + 1))
    return list.includes(noSample) || list.length < least ? noSample : list
  }
  const length = Math.max(1, least)
  const sample = sampleOf(items ?? true, root, depth + 1)
  if (sample === noSample) return least === 0 ? [] : noSample
  return uniqueItems === true && length > 1 ? noSample : Array.from({ length }, () => sample)
}

function numberFor({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, type }: AnySchema): unknown {
  const whole = type === 'integer'
  const step = typeof multipleOf === 'number' ? multipleOf : whole ? 1 : 0.5
  const low =
    typeof minimum === 'number' ? minimum : typeof exclusiveMinimum === 'number' ? exclusiveMinimum + step : undefined
  const high =
    typeof maximum === 'number' ? maximum : typeof exclusiveMaximum === 'number' ? exclusiveMaximum - step : undefined
  const near = low ?? (high !== undefined && high < step ? high : step)
  const sample = Math.ceil(near / step) * step
  return high !== undefined && sample > high ? noSample : sample
}

/** Texts that fit what patterns usually ask for: the first that does is taken. */
const usualTexts = [
  ...[
    'a',
    'abc',
    'abcdef',
    'A',
    'ABC',
    'ABCDEF',
    '1',
    '12',
    '123',
    '1234',
    '12345',
    '123456',
    '12345678',
    '0',
    '00',
    '0000',
  ],
  ...[
    'abc1',
    'a1b2c3',
    'a-b',
    'a_b',
    'a.b',
    'abc-123',
    'A1',
    'AB-123',
    'abcdef0123456789',
    '+15550100',
    '#a1b2c3',
    'en',
    'en-GB',
  ],
  ...['2026-01-01', '12:00', '1.0', '1.0.0', 'ada', 'Ada Lovelace', 'ada@example.org', '/a', 'https://example.org/'],
  '0123456789abcdef0123456789abcdef',
  '123e4567-e89b-42d3-a456-426614174000',
]

const byFormat: Readonly<Record<string, string>> = {
  date: '2026-01-01',
  time: '12:00:00Z',
  'date-time': '2026-01-01T12:00:00Z',
  duration: 'PT1M',
  email: 'ada@example.org',
  hostname: 'example.org',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.org/',
  url: 'https://example.org/',
  'uri-reference': '/a',
  iri: 'https://example.org/',
  'iri-reference': '/a',
  uuid: '123e4567-e89b-42d3-a456-426614174000',
  'json-pointer': '/a',
  'relative-json-pointer': '0',
  byte: 'YQ==',
}

function textFor(schema: AnySchema): unknown {
  const { format, pattern, minLength } = schema
  const least = typeof minLength === 'number' ? minLength : 0
  const asked =
    typeof format === 'string' && Object.hasOwn(byFormat, format)
      ? [byFormat[format] ?? '']
      : [...usualTexts, 'a'.repeat(least)]
  const expression = typeof pattern === 'string' ? patternOf(pattern) : undefined
  return asked.find((text) => fitsText(text, schema, expression)) ?? noSample
}

/** Whether a text has the length, and the pattern, that a schema asks for. */
export function fitsText(text: string, { minLength, maxLength }: AnySchema, expression?: RegExp): boolean {
  if (typeof minLength === 'number' && text.length < minLength) return false
  if (typeof maxLength === 'number' && text.length > maxLength) return false
  return expression === undefined || expression.test(text)
}

function patternOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return undefined
  }
}
