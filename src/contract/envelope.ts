import type { PlainSchema } from '../schema/plain-schema.ts'
import { followRef, isSchema } from '../schema/plain-schema.ts'

/** The members of a message that are no part of its schema, and which of them must be there. */
export interface Envelope {
  readonly properties: PlainSchema
  readonly required: readonly string[]
}

interface Opening {
  readonly envelope: Envelope
  /** The body as the document has it, and its place there: what its references point into. */
  readonly body: PlainSchema
  readonly base: string
  /** Set where something of the body cannot be said of a whole message: what asks the opposite must not ask it then. */
  wider: boolean
}

/**
 * Makes the schema of a whole message out of that of its body: the members of the envelope are declared in each schema that would
 * refuse them, and are none of those that patterns, names and counts of members are about.
 *
 * @param body a portable schema, @param base its place in the document
 */
export function enveloped(body: PlainSchema, base: string, envelope: Envelope): PlainSchema {
  const opened = open(body, { envelope, body, base, wider: false })
  const { $defs, definitions, ...message } = opened
  const named = isSchema(message.properties) ? message.properties : {}
  const required = Array.isArray(message.required) ? message.required : []
  return {
    ...message,
    type: 'object',
    properties: { ...named, ...envelope.properties },
    required: [...new Set<unknown>([...envelope.required, ...required])],
  }
}

function open(schema: PlainSchema, opening: Opening): PlainSchema {
  const names = Object.keys(opening.envelope.properties)
  const out = new Map<string, unknown>()
  for (const [keyword, value] of Object.entries(schema)) {
    const kept = openKeyword(keyword, value, names, opening)
    if (kept !== undefined) out.set(keyword, kept)
  }
  if (schema.oneOf !== undefined) openOneOf(schema.oneOf, out, opening)
  openQuestions(schema, out, opening)
  if (typeof schema.$ref === 'string') {
    const target = followRef(schema.$ref.slice(opening.base.length), opening.body)
    out.delete('$ref')
    if (target !== undefined) return { ...open(target, opening), ...Object.fromEntries(out) }
  }
  if (['additionalProperties', 'patternProperties'].some((keyword) => Object.hasOwn(schema, keyword))) {
    const envelope = Object.fromEntries(names.map((name) => [name, true]))
    out.set('properties', { ...envelope, ...(isSchema(schema.properties) ? schema.properties : {}) })
  }
  return Object.fromEntries(out)
}

/** `undefined`: it is left out, or is written elsewhere. */
function openKeyword(keyword: string, value: unknown, names: readonly string[], opening: Opening): unknown {
  switch (keyword) {
    case 'allOf':
    case 'anyOf':
      return Array.isArray(value) ? value.map((each) => openEither(each, opening)) : value
    case 'oneOf':
    case 'not':
    case 'if':
    case 'then':
    case 'else':
      return undefined
    case 'dependencies':
      return mapped(value, (name, each) => [name, Array.isArray(each) ? each : openEither(each, opening)])
    case 'patternProperties':
      return mapped(value, (pattern, each) => [except(names, pattern), each])
    case 'propertyNames':
      return { anyOf: [{ enum: names }, value] }
    case 'minProperties':
      opening.wider = true
      return Number(value) + opening.envelope.required.length
    case 'maxProperties':
      opening.wider = true
      return Number(value) + names.length
    case 'const':
    case 'enum':
      opening.wider = true
      return undefined
    default:
      return value
  }
}

function openEither(schema: unknown, opening: Opening): unknown {
  return isSchema(schema) ? open(schema, opening) : schema
}

/** Two branches that were told apart by what cannot be said any more might both hold. */
function openOneOf(branches: unknown, out: Map<string, unknown>, opening: Opening): void {
  const asked = { ...opening, wider: false }
  const opened = Array.isArray(branches) ? branches.map((each) => openEither(each, asked)) : []
  opening.wider ||= asked.wider
  if (!asked.wider) out.set('oneOf', opened)
  else if (out.has('anyOf')) out.set('allOf', [...listOf(out.get('allOf')), { anyOf: opened }])
  else out.set('anyOf', opened)
}

function openQuestions(schema: PlainSchema, out: Map<string, unknown>, opening: Opening): void {
  const asked = { ...opening, wider: false }
  const not = schema.not === undefined ? undefined : openEither(schema.not, asked)
  const condition = schema.if === undefined ? undefined : openEither(schema.if, asked)
  if (asked.wider) {
    opening.wider = true
    return
  }
  if (not !== undefined) out.set('not', not)
  if (condition === undefined) return
  out.set('if', condition)
  for (const branch of ['then', 'else']) {
    if (schema[branch] !== undefined) out.set(branch, openEither(schema[branch], opening))
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function mapped(value: unknown, each: (name: string, schema: unknown) => [string, unknown]): unknown {
  return isSchema(value) ? Object.fromEntries(Object.entries(value).map(([name, schema]) => each(name, schema))) : value
}

/** The same pattern, for any name but these. */
function except(names: readonly string[], pattern: string): string {
  return `^(?!(?:${names.join('|')})$)(?=[\\s\\S]*(?:${pattern}))`
}
