import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { compileInbound, createInboundState, receive } from '../../src/inbound/inbound.ts'
import type { InboundVerdict } from '../../src/inbound/verdict.ts'
import fc from '../harness/fast-check.ts'

/** A schema as its author writes it, the same with every object closed by hand, and messages that fit it. */
interface Sample {
  readonly written: object
  readonly closed: object
  readonly fitting: fc.Arbitrary<unknown>
}

const text = fc
  .string({ unit: 'grapheme', maxLength: 6 })
  .filter((each) => each.isWellFormed() && !each.includes('\u0000'))
const declared = fc.constantFrom('a', 'b', 'text', 'x y', '"', '\u00e9')
const name = fc.oneof(declared, fc.constantFrom('toString', 'constructor', 'hasOwnProperty'))

function same(schema: object, fitting: fc.Arbitrary<unknown>): Sample {
  return { written: schema, closed: schema, fitting }
}

const scalar: fc.Arbitrary<Sample> = fc.oneof(
  fc
    .record({ minLength: fc.nat(2), maxLength: fc.integer({ min: 2, max: 4 }) })
    .map((limits) => same({ type: 'string', ...limits }, text)),
  fc.constant(same({ type: 'integer', minimum: 0 }, fc.integer({ min: -1, max: 5 }))),
  fc.constant(same({ type: 'number' }, fc.double({ noDefaultInfinity: true, noNaN: true }))),
  fc.constant(same({ type: 'boolean' }, fc.boolean())),
  fc.constant(same({ type: 'null' }, fc.constant(null))),
  fc.constant(same({ enum: ['x', 1, null, false] }, fc.constantFrom('x', 1, null, false, 0, '1'))),
  fc.constant(same({ type: 'string', format: 'date' }, fc.constantFrom('2024-02-29', '2023-02-29', 'x'))),
)

const { message: schemas } = fc.letrec<{ value: Sample; list: Sample; message: Sample; union: Sample }>((tie) => ({
  value: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, tie('list'), tie('message'), tie('union')),
  list: fc.tuple(tie('value'), fc.nat(3)).map(([items, maxItems]) => ({
    written: { type: 'array', items: items.written, maxItems },
    closed: { type: 'array', items: items.closed, maxItems },
    fitting: fc.array(items.fitting, { maxLength: 3 }),
  })),
  union: fc.tuple(scalar, tie('value')).map(([one, other]) => ({
    written: { anyOf: [one.written, other.written] },
    closed: { anyOf: [one.closed, other.closed] },
    fitting: fc.oneof(one.fitting, other.fitting),
  })),
  message: fc
    .uniqueArray(fc.tuple(declared, tie('value'), fc.boolean()), { selector: ([key]) => key, maxLength: 4 })
    .map((members) => {
      const required = members.filter(([, , needed]) => needed).map(([key]) => key)
      const object = (pick: (sample: Sample) => object) => ({
        type: 'object',
        properties: Object.fromEntries(members.map(([key, sample]) => [key, pick(sample)])),
        required,
      })
      return {
        written: object(({ written }) => written),
        closed: { ...object(({ closed }) => closed), additionalProperties: false },
        fitting: fc.record(Object.fromEntries(members.map(([key, sample]) => [key, sample.fitting]))),
      }
    }),
}))

function open(schema: object) {
  const policy = compileInbound({
    receives: { say: { schema } },
    binary: undefined,
    limits: {
      messages: { perSecond: 1e6, burst: 1e6 },
      bytes: { perSecond: 1e9, burst: 1e9 },
      messageDepth: 32,
      refusals: { perMinute: 1e6 },
      lookup: 1_000,
    },
    path: 'secureWs',
    sanitizeHtml: assert.fail,
  })
  const clock = { now: () => 0 }
  const socket = { policy, state: createInboundState(policy, 0), session: null, owner: undefined, request: {}, clock }
  return (bytes: Buffer): InboundVerdict => {
    const verdict = receive(bytes, false, socket, 0)
    assert.ok(!(verdict instanceof Promise))
    return verdict
  }
}

/** The plain truth, told by an ajv of its own. */
function oracle(closed: object): (message: unknown) => boolean {
  const ajv = new Ajv2019({
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    ownProperties: true,
    validateSchema: false,
  })
  ajv.addFormat('date', (day) => day === '2024-02-29')
  const validate = ajv.compile(closed)
  return (message) => validate(message)
}

function withoutEnvelope(body: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(body).filter(([key]) => key !== 'type' && key !== 'id'))
}

describe('CS-13 fuzzing', () => {
  it('delivers if and only if strict ajv accepts, and delivers what JSON.parse reads', () => {
    let delivered = 0
    let refused = 0
    fc.assert(
      fc.property(
        schemas,
        fc.gen(),
        fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
        ({ written, closed, fitting }, gen, other) => {
          const read = open(written)
          const accepts = oracle(closed)
          for (const candidate of [
            gen(() => fitting),
            gen(() => fitting),
            other,
            Object.assign(
              {},
              gen(() => fitting),
              other,
            ),
          ]) {
            const sent = JSON.stringify({ type: 'say', id: 1, ...(candidate as object) })
            if (/\\u0000|\\ud[89a-f]|"__proto__"|"prototype"/i.test(sent)) continue
            const parsed = withoutEnvelope(JSON.parse(sent))
            const verdict = read(Buffer.from(sent))
            const expected = accepts(parsed)
            assert.equal(verdict.kind, expected ? 'deliver' : 'refuse', sent)
            if (verdict.kind === 'deliver') {
              delivered++
              assert.deepEqual(verdict.message, parsed)
              assert.equal(Object.getPrototypeOf(verdict.message), Object.prototype)
              assert.equal(verdict.id, 1)
            } else if (verdict.kind === 'refuse') {
              refused++
              assert.equal(verdict.code, 'SWS_INVALID_MESSAGE', sent)
            }
          }
        },
      ),
      { numRuns: 150 },
    )
    // Otherwise the property would hold for a reader that always says one thing.
    assert.ok(delivered > 40 && refused > 40, `${delivered} delivered, ${refused} refused`)
  })

  it('gives every sequence of bytes a verdict, and delivers only what it says', () => {
    const schema = {
      type: 'object',
      properties: { text: { type: 'string' }, n: { type: 'number' }, l: { type: 'array', items: {} } },
    }
    const read = open(schema)
    const accepts = oracle({ ...schema, additionalProperties: false })
    const valid = fc
      .record({ text: text, n: fc.integer(), l: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 2 }) })
      .map((message) => Buffer.from(JSON.stringify({ type: 'say', ...message })))
    const twisted = fc
      .tuple(
        valid,
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from('"\\{}[]:,0e-x \u00e9'), 0, 0xff, 0xed)), {
          maxLength: 3,
        }),
      )
      .map(([bytes, changes]) => {
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        return bytes
      })
    const arbitrary = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
    let delivered = 0
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: twisted }, arbitrary), (bytes) => {
        const verdict = read(bytes)
        if (verdict.kind !== 'deliver') return
        delivered++
        const body = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
        assert.equal(body.type, 'say')
        assert.deepEqual(verdict.message, withoutEnvelope(body))
        assert.ok(accepts(verdict.message))
      }),
      { numRuns: 3000 },
    )
    assert.ok(delivered > 100, `${delivered} delivered`)
  })
})
