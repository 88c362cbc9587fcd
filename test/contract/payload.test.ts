import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { enveloped } from '../../src/contract/envelope.ts'
import { portableSchema } from '../../src/contract/portable-schema.ts'
import { compileSchema, type MessageSchema } from '../../src/inbound/schema.ts'
import { Random } from '../harness/random.ts'
import { randomSchema, randomValue, type Schema } from '../schema/random-schemas.ts'

const base = '#/components/schemas/body'
const envelope = { properties: { type: { const: 'say' }, id: { type: 'integer' } }, required: ['type'] }

/** Another validator, with the document as its readers have it: draft 7, references from the top of it. */
function reader({ plain }: MessageSchema): (message: object) => boolean {
  const body = portableSchema(plain, base)
  const document = {
    $id: 'document',
    components: { schemas: { body }, messages: { say: { payload: enveloped(body, base, envelope) } } },
  }
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false, ownProperties: true }).addSchema(document)
  const payload = ajv.getSchema('document#/components/messages/say/payload')
  assert.ok(payload)
  return (message) => payload(message) === true
}

const compiled = (schema: Schema) => compileSchema(schema, ['type', 'id'], 'schema')

// `node test/contract/payload.test.ts 50000 7` tries as many as you like, from another seed.
const [count, seed] = [Number(process.argv[2] ?? 800), Number(process.argv[3] ?? 17)]

test('whatever the server takes, the document takes: random messages, unions and references included', () => {
  const random = new Random(seed)
  let [taken, pairs] = [0, 0]
  while (pairs < count) {
    const schema = randomSchema(random)
    let server: MessageSchema
    try {
      server = compiled(schema)
    } catch (error) {
      if (error instanceof Error && /own parts|no value can be both|decides between/.test(error.message)) continue
      throw error
    }
    const reads = reader(server)
    for (let each = 0; each < 10; each++) {
      const body = randomValue(random, schema, schema)
      if (typeof body !== 'object' || body === null || Array.isArray(body)) continue
      pairs++
      if (server.refuse(body) !== undefined) continue
      taken++
      const whole = { type: 'say', ...(random.chance(0.5) && { id: 7 }), ...body }
      assert.ok(reads(whole), JSON.stringify({ schema, whole }))
    }
  }
  assert.ok(taken > count / 8, `${taken} of ${pairs}`)
})

const text = { type: 'string', maxLength: 3 }
const plain: Readonly<Record<string, Schema>> = {
  members: { type: 'object', properties: { text, n: { type: 'integer' } }, required: ['text'] },
  nested: { type: 'object', properties: { in: { type: 'object', properties: { text } } }, required: ['in'] },
  list: { type: 'object', properties: { list: { type: 'array', items: { type: 'object', properties: { text } } } } },
  record: { type: 'object', additionalProperties: { type: 'number' } },
  patterns: { type: 'object', patternProperties: { '.*': { type: 'number' } }, additionalProperties: false },
  'patterns of a name': { type: 'object', patternProperties: { '^t': { type: 'number' } } },
  names: { type: 'object', propertyNames: { pattern: '^x' }, additionalProperties: { type: 'number' } },
  'a null': { type: 'object', properties: { text: { type: 'string', nullable: true } } },
  together: { type: 'object', properties: { text, n: { type: 'integer' } }, dependentRequired: { text: ['n'] } },
  nothing: { type: 'object' },
  few: { type: 'object', additionalProperties: { type: 'number' }, minProperties: 1 },
}
const messages: readonly object[] = [
  {},
  { text: 'abc' },
  { text: 'abcd' },
  { text: 'abc', n: 1 },
  { text: null },
  { n: 1 },
  { n: 1.5, t: 1 },
  { x: 1 },
  { x: 'one', xs: 2 },
  { text: 'abc', isAdmin: true },
  { in: { text: '' } },
  { in: { text: '', isAdmin: true } },
  { list: [{ text: '' }, {}] },
  { list: [{ text: '', isAdmin: true }] },
]

test('of a schema of one piece, the document takes what the server takes and nothing else', () => {
  for (const [name, schema] of Object.entries(plain)) {
    const server = compiled(schema)
    const reads = reader(server)
    const admits = (body: object) => server.refuse(body) === undefined
    const verdicts = messages.map((body) => {
      assert.equal(reads({ type: 'say', ...body }), admits(body), `${name}: ${JSON.stringify(body)}`)
      return admits(body)
    })
    assert.ok(verdicts.includes(true) && verdicts.includes(false), name)
    assert.ok(!reads({ type: 'sya', ...messages[verdicts.indexOf(true)] }), `${name}: another type`)
    assert.ok(!reads({ ...messages[verdicts.indexOf(true)] }), `${name}: no type`)
  }
})
