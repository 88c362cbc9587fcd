import type { HoleCode } from './hole.ts'
import { type AnySchema, fitsText, isSchema, referred } from './sample.ts'

/** A message that must not be delivered, made of one that may. */
export interface HostileMessage {
  /** The attack, in words. */
  readonly attack: string
  readonly hole: HoleCode
  /** The whole text, as it goes over the wire. */
  readonly text: string
}

/** A message that is about to be written: the envelope, and a body that fits the schema. */
export interface RightMessage {
  readonly envelope: Readonly<Record<string, unknown>>
  readonly body: Readonly<Record<string, unknown>>
  readonly schema: AnySchema
}

export function textOf({ envelope, body }: Pick<RightMessage, 'envelope' | 'body'>): string {
  return JSON.stringify({ ...envelope, ...body })
}

/** Everything that the schema forbids for certain: where it leaves a choice, nothing is made. */
export function hostileMessages(message: RightMessage): HostileMessage[] {
  const { envelope, body, schema } = message
  const inside = textOf(message).slice(1, -1)
  const [first] = Object.entries(body)
  const pollution = [
    ['__proto__', '"__proto__":{"isAdmin":true}'],
    ['constructor.prototype', '"constructor":{"prototype":{"isAdmin":true}}'],
  ] as const
  return [
    { attack: 'a text that is no JSON', hole: 'unknown-type', text: `{${inside}` },
    ...pollution.map(([name, member]) => {
      return { attack: `a member \`${name}\``, hole: 'prototype' as const, text: `{${inside},${member}}` }
    }),
    ...(first === undefined
      ? []
      : [
          {
            attack: `\`${first[0]}\` said twice`,
            hole: 'duplicate-key' as const,
            text: `{${inside},${JSON.stringify(first[0])}:${JSON.stringify(first[1])}}`,
          },
        ]),
    ...(isClosed(schema)
      ? [
          {
            attack: 'a member that nobody declared',
            hole: 'extra-member' as const,
            text: textOf({ envelope, body: { ...body, isAdmin: true } }),
          },
        ]
      : []),
    ...fieldsOf(schema, body).flatMap(({ at, schema: field, set }) => {
      return wrongFor(field).map((wrong) => ({
        attack: `\`${at}\` as ${JSON.stringify(wrong)}`,
        hole: 'wrong-type' as const,
        text: textOf({ envelope, body: set(wrong) }),
      }))
    }),
  ]
}

/** A message with a type that nobody can have declared. */
export function unknownType({ envelope, body }: Pick<RightMessage, 'envelope' | 'body'>): HostileMessage {
  const text = textOf({ envelope: { ...envelope, type: 'nobody-declared-this' }, body })
  return { attack: 'a type that nobody declared', hole: 'unknown-type', text }
}

/** A member of a message, at any depth of plain objects. */
interface Field {
  /** Its way in, as `post.title`. */
  readonly at: string
  readonly schema: AnySchema
  /** The body with another value there. */
  set(value: unknown): Readonly<Record<string, unknown>>
}

export function fieldsOf(
  schema: AnySchema,
  body: Readonly<Record<string, unknown>>,
  root: AnySchema = schema,
  depth = 0,
): Field[] {
  if (depth > 4) return []
  return Object.entries(Object(schema.properties)).flatMap(([name, given]) => {
    const own = isSchema(given) && typeof given.$ref === 'string' ? referred(given.$ref, root) : given
    if (!isSchema(own) || !Object.hasOwn(body, name)) return []
    const set = (value: unknown) => ({ ...body, [name]: value })
    const value = body[name]
    const deeper = isSchema(value) ? fieldsOf(own, value, root, depth + 1) : []
    return [
      { at: name, schema: own, set },
      ...deeper.map((field) => ({
        at: `${name}.${field.at}`,
        schema: field.schema,
        set: (inner: unknown) => set(field.set(inner)),
      })),
    ]
  })
}

const choices = ['anyOf', 'oneOf', 'allOf', 'not', 'if', 'enum', 'const', '$ref']

/** Values that are of another type than the one that is declared, where exactly one is. */
function wrongFor(schema: AnySchema): unknown[] {
  if (choices.some((name) => Object.hasOwn(schema, name)) || schema.nullable === true) return []
  switch (schema.type) {
    case 'string':
      return [7, { toString: 'x' }, ['x'], null]
    case 'integer':
    case 'number':
      return ['7', [7], null]
    case 'boolean':
      return ['true', 1]
    case 'array':
      return [{ length: 1 }, 'x']
    case 'object':
      return ['x', ['x'], null]
    default:
      return []
  }
}

const opening = ['additionalProperties', 'patternProperties', 'unevaluatedProperties', 'propertyNames', ...choices]

/** An object that names its members and says nothing of others. */
function isClosed(schema: AnySchema): boolean {
  if (schema.type !== 'object' || !isSchema(schema.properties) || Object.hasOwn(schema.properties, 'isAdmin'))
    return false
  return schema.additionalProperties === false || !opening.some((name) => Object.hasOwn(schema, name))
}

/** Markup that runs, the longest first: a short field takes a short one. */
const payloads = (mark: string) => [
  `"><img src=x onerror="${mark}()"><script>${mark}()</script>`,
  `<img src=x onerror=${mark}()>`,
  `<svg onload=${mark}()>`,
]

/** Markup as it runs in a page, of one mark. */
export function runsIn(text: string, mark: string): boolean {
  return new RegExp(`<[a-z][^>]*\\son\\w+\\s*=\\s*\\\\?["']?${mark}|<script[^>]*>\\s*${mark}`, 'i').test(text)
}

/** For each text of a message: the message with markup in it. */
export function withMarkup(message: RightMessage, mark: string): { readonly at: string; readonly text: string }[] {
  const { envelope, body, schema } = message
  return fieldsOf(schema, body).flatMap(({ at, schema: field, set }) => {
    if (field.type !== 'string' || field.format !== undefined || Object.hasOwn(field, 'enum')) return []
    const expression = typeof field.pattern === 'string' ? new RegExp(field.pattern, 'u') : undefined
    const markup = payloads(mark).find((each) => fitsText(each, field, expression))
    return markup === undefined ? [] : [{ at, text: textOf({ envelope, body: set(markup) }) }]
  })
}
