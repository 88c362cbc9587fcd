import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sanitizeMessage } from '../../src/inbound/cleaning.ts'
import { compileSchema } from '../../src/inbound/schema.ts'
import { Encoded } from '../../src/outbound/encoded.ts'
import { compileOutbound, encodeOutgoing } from '../../src/outbound/outbound.ts'
import { compileReply } from '../../src/outbound/schema.ts'
import { differencesIn, schemasPage } from '../house/keywords.ts'
import { textOf } from '../house/source-files.ts'

type Verdict = 'taken' | 'refused' | 'no schema'
/** The schema of the member `a`, a value of it, what becomes of it on the way in, and the row of the page that lets out differ. */
type Probe = readonly [schema: unknown, value: unknown, inward: Verdict, differs?: string]

const undeclared = 'a member that no schema that holds declares'
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const text = { type: 'string' }
const number = { type: 'number' }
const list = (more: object) => ({ type: 'array', ...more })
const union = (keyword: string) => ({ [keyword]: [object({ x: number }, { required: ['x'] }), object({ y: text })] })
const record = { type: 'object', additionalProperties: number }
const when = object(
  { kind: text, x: number },
  { if: object({ kind: { const: 'x' } }, { required: ['kind'] }), ['then' as string]: { required: ['x'] } },
)
const together = object({ x: number, y: number }, { dependentRequired: { x: ['y'] } })
const dependent = object({ x: number }, { dependentSchemas: { x: object({ y: number }, { required: ['y'] }) } })
const unevaluated = { allOf: [object({ x: number })], unevaluatedProperties: false }

const probes: readonly Probe[] = [
  // In each of these the two directions once differed.
  [when, { kind: 'x' }, 'refused'],
  [when, { kind: 'x', x: 1 }, 'taken'],
  [when, { kind: 'y' }, 'taken'],
  [dependent, { x: 1 }, 'refused'],
  [dependent, { x: 1, y: 2 }, 'taken'],
  [dependent, { y: 2 }, 'refused', undeclared],
  [together, { x: 1 }, 'refused'],
  [together, { x: 1, y: 2 }, 'taken'],
  [unevaluated, { x: 1 }, 'taken'],
  [unevaluated, { x: 1, z: 1 }, 'refused', '`unevaluatedProperties`'],
  [{ ...text, format: 'url' }, 'https://a.example/', 'taken'],
  [{ ...text, format: 'url' }, 'javascript:x', 'taken', '`format`'],
  [{ ...text, format: 'iri' }, 'https://a.example/\u00e4', 'taken'],
  [{ ...text, format: 'uri' }, '/a', 'refused', '`format`'],
  [{ ...text, format: 'iso-time' }, '12:00:00', 'no schema'],
  [{ minLength: 1 }, 7, 'no schema'],
  [list({ items: object({ x: number }), uniqueItems: true }), [{ x: 1 }], 'no schema'],
  [list({ items: object({ x: number }), uniqueItems: true, maxItems: 9 }), [{ x: 1 }, { x: 1 }], 'refused'],
  [list({ items: object({ x: number }), uniqueItems: true, maxItems: 9 }), [{ x: 1 }, { x: 2 }], 'taken'],
  [{ ...text, contentMediaType: 'image/png' }, 'x', 'no schema'],
  [{ $schema: 'http://json-schema.org/draft-04/schema#', ...text }, 'x', 'no schema'],
  [{ ...text, pattern: '(a+)+$' }, 'a', 'no schema'],
  // Of two patterns that match, one counted.
  [{ type: 'object', patternProperties: { '^x': number, y$: { ...number, maximum: 1 } } }, { xy: 2 }, 'refused'],
  [{ type: 'object', patternProperties: { '^x': number, y$: { ...number, maximum: 1 } } }, { xy: 1 }, 'taken'],
  // A union that lent its names.
  [{ anyOf: [record, object({ label: text })] }, { label: 'x', isAdmin: true }, 'refused', '`anyOf`'],
  [{ anyOf: [record, object({ label: text })] }, { label: 'x' }, 'taken'],
  // Items of a list that the branch which holds says nothing of.
  [
    { anyOf: [object({ l: list({ items: number }) }), { type: 'object', additionalProperties: {} }] },
    { l: [{ k: 1 }] },
    'taken',
  ],
  // Of a list in an object that the branch which holds says nothing of.
  [
    {
      anyOf: [
        object({ o: object({ l: list({ items: number }) }), kind: text }, { required: ['kind'] }),
        { type: 'object', additionalProperties: {} },
      ],
    },
    { o: { l: [{ k: 1 }] } },
    'taken',
  ],
  [
    {
      anyOf: [
        object({ o: object({ l: list({ items: object({}) }) }), kind: text }, { required: ['kind'] }),
        { type: 'object', additionalProperties: number },
      ],
    },
    { o: { l: [{ k: 1 }] }, kind: 'x' },
    'refused',
    '`anyOf`',
  ],
  [union('anyOf'), { x: 1 }, 'taken'],
  [union('anyOf'), { x: 1, y: 'y' }, 'taken'],
  [union('anyOf'), { x: 'x' }, 'refused', '`anyOf`'],
  [union('oneOf'), { y: 'y' }, 'taken'],
  [union('oneOf'), { x: 1 }, 'refused'],
  [union('oneOf'), { y: 'y', z: 1 }, 'refused', '`oneOf`'],
  [union('allOf'), { x: 1, y: 'y' }, 'taken'],
  [union('allOf'), { y: 'y' }, 'refused'],
  [{ not: text }, 'x', 'refused'],
  [{ not: text }, 1, 'taken'],
  [{ ...text, minLength: 2 }, '\u{1f600}', 'refused'],
  [{ ...text, maxLength: 1 }, '\u{1f600}', 'taken'],
  [{ ...text, pattern: '^a+$' }, 'b', 'refused'],
  [{ ...text, format: 'date' }, '2023-02-29', 'refused'],
  [{ ...text, format: 'nothing' }, 'x', 'no schema'],
  [{ ...text, sanitize: ['trim'] }, ' x ', 'taken', '`sanitize`'],
  [{ ...text, contentMediaType: 'text/html' }, '<b>', 'taken'],
  [{ ...number, multipleOf: 0.1 }, 0.3, 'taken'],
  [{ ...number, multipleOf: 0.1 }, 0.35, 'refused'],
  [{ ...number, exclusiveMinimum: 1 }, 1, 'refused'],
  [{ type: 'integer' }, 1.5, 'refused'],
  [{ type: 'integer' }, '1', 'refused'],
  [{ ...text, nullable: true }, null, 'taken'],
  [{ type: ['string', 'null'] }, 1, 'refused'],
  [{ const: { x: [1] } }, { x: [1] }, 'taken'],
  [{ enum: ['x', 1] }, '1', 'refused'],
  [list({ items: [text], additionalItems: false }), ['x', 1], 'refused'],
  [list({ items: [text], additionalItems: number }), ['x', 1], 'taken'],
  [list({ items: [text] }), ['x'], 'no schema'],
  [list({ items: [text], additionalItems: true, unevaluatedItems: false }), ['x', 1], 'no schema'],
  [list({ prefixItems: [text] }), ['x'], 'no schema'],
  [list({ items: number, contains: { const: 1 }, minContains: 2 }), [1, 2], 'refused'],
  [list({ items: text, uniqueItems: true }), ['__proto__', '__proto__'], 'refused'],
  [object({ x: number }), { x: 1, y: 2 }, 'refused', undeclared],
  [object({ x: number, y: false }), { x: 1, y: 2 }, 'refused', '`properties`'],
  [object({ x: number }, { additionalProperties: false }), { x: 1, y: 2 }, 'refused', '`additionalProperties`'],
  [object({ x: number }, { additionalProperties: text }), { x: 1, y: 2 }, 'refused'],
  [object({ x: number }, { additionalProperties: text }), { x: 1, y: 'y' }, 'taken'],
  [object({ x: number }, { maxProperties: 1 }), { x: 1, y: 2 }, 'refused', '`maxProperties`'],
  [object({ x: number }, { minProperties: 1 }), {}, 'refused'],
  [object({}, { additionalProperties: true, propertyNames: { pattern: '^a' } }), { b: 1 }, 'refused'],
  [object({ valueOf: number }), { valueOf: 1 }, 'taken'],
  [object({}, { required: ['toString'] }), {}, 'refused'],
  [{}, { anything: [1] }, 'taken'],
  [{ type: 'string', minimum: 3 }, 'x', 'no schema'],
  [{ type: 'string', maxLenght: 3 }, 'xxxx', 'no schema'],
  [{ $dynamicRef: '#x' }, 'x', 'no schema'],
  [{ $ref: '#/$defs/none' }, 'x', 'no schema'],
]

const sanitizeHtml = (dirty: string) => `[${dirty}]`

/** What is delivered, as JSON; or why nothing is. */
function received(schema: object, value: object): string {
  const compiled = compiledOr(() => compileSchema(schema, [], 'm.schema'))
  if (compiled === undefined) return 'no schema'
  const message = structuredClone(value)
  if (compiled.refuse(message) !== undefined) return 'refused'
  const outcome = sanitizeMessage(message, compiled, (dirty) => sanitizeHtml(dirty))
  if (outcome instanceof Promise) return 'waits'
  return outcome === undefined ? JSON.stringify(message) : 'refused'
}

function sent(schema: object, value: object): string {
  const sends = { m: { schema } }
  const policy = compiledOr(() =>
    compileOutbound({ encode: 'none', sends, path: 'm', sanitizeHtml, warn: assert.fail }),
  )
  if (policy === undefined) return 'no schema'
  return leaving(() => {
    const outgoing = encodeOutgoing({ type: 'm', ...value }, policy)
    assert.ok(!(outgoing instanceof Promise))
    const { type: _, ...message } = JSON.parse(String(outgoing.payload))
    return message
  })
}

function replied(schema: object, value: object): string {
  const project = compiledOr(() => compileReply('m', schema, 'm.reply', sanitizeHtml, assert.fail))
  if (project === undefined) return 'no schema'
  return leaving(() => {
    const answer = JSON.stringify(project(value), (_name, each) => (Encoded.is(each) ? String(each) : each))
    return Reflect.get(JSON.parse(answer), 'value')
  })
}

function compiledOr<T>(compile: () => T): T | undefined {
  try {
    return compile()
  } catch (error) {
    assert.equal(codeOf(error), 'SWS_BAD_OPTION', String(error))
    return undefined
  }
}

function leaving(make: () => unknown): string {
  try {
    return JSON.stringify(make())
  } catch (error) {
    assert.match(String(codeOf(error)), /^SWS_(?:INVALID_OUTPUT|UNSAFE_URL)$/, String(error))
    return 'refused'
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}

const allowed = differencesIn(textOf(schemasPage))

test('there are the probes that once differed, and thirty more', () => assert.ok(probes.length >= 52))

// One reading: what the page does not call a difference is none.
for (const [schema, value, inward, differs] of probes) {
  test(`${JSON.stringify(schema)} reads ${JSON.stringify(value)} in both directions ${differs ?? 'alike'}`, () => {
    const whole = { type: 'object', properties: { a: schema } }
    const message = { a: value }
    const [left, reply] = [sent(whole, message), replied(whole, message)]
    let came = received(whole, message)
    // Markup waits for its sanitizer on the way in, and is marked as such on the way out.
    if (came === 'waits') came = JSON.stringify({ a: sanitizeHtml(String(value)) })
    assert.equal(came === 'refused' || came === 'no schema' ? came : 'taken', inward)
    assert.equal(reply, left, 'a reply is read as `sends` is')
    if (differs === undefined) return assert.equal(left, came)
    assert.notEqual(left, came, `${differs} is no excuse: nothing differs`)
    assert.ok(allowed.has(differs), `the page has no difference at ${differs}`)
  })
}
