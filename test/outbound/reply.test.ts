import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { dangerouslyTrustHtml } from '../../src/outbound/encoded.ts'
import { compileOutbound, compileReply, encodeMessage, encodeOutgoing } from '../../src/outbound/outbound.ts'
import fc from '../harness/fast-check.ts'

const encodedAs = (message: object, mode: 'html' | 'json') => String(encodeMessage(message, mode).payload)

const sanitizeHtml = (dirty: string) => `[${dirty}]`

function replied(schema: object, value: unknown): unknown {
  const members = compileReply('ask', schema, 'secureWs.receives.ask.reply', sanitizeHtml, () => {})(value)
  assert.ok(!(members instanceof Promise), 'waits')
  return JSON.parse(encodedAs(members, 'html'))
}

test('a reply of any kind holds what its schema declares', () => {
  const row = { id: 7, name: '<i>', passwordHash: '$argon2id$', author: { name: 'Ada', email: 'ada@x.example' } }
  const user = Type.Object({ id: Type.Number(), name: Type.String(), author: Type.Object({ name: Type.String() }) })
  const shown = { id: 7, name: '&lt;i&gt;', author: { name: 'Ada' } }
  assert.deepEqual(replied(user, row), { value: shown })
  assert.deepEqual(replied(Type.Array(user), [row, row]), { value: [shown, shown] })
  assert.deepEqual(replied(Type.Union([Type.Null(), user]), row), { value: shown })
  assert.deepEqual(replied(Type.Union([Type.Null(), user]), null), { value: null })
  assert.deepEqual(replied(Type.Number(), 3), { value: 3 })
  assert.deepEqual(replied(Type.Boolean(), false), { value: false })
  assert.deepEqual(replied(Type.String(), '<b>'), { value: '&lt;b&gt;' })
})

test('markup and URLs are found in a reply, also where the reply itself is one', () => {
  const html = Type.String({ contentMediaType: 'text/html' })
  const link = Type.String({ format: 'uri' })
  assert.deepEqual(replied(html, '<b>'), { value: '[<b>]' })
  assert.deepEqual(replied(html, dangerouslyTrustHtml('<b>')), { value: '<b>' })
  assert.deepEqual(replied(Type.Array(html), ['<b>']), { value: ['[<b>]'] })
  assert.deepEqual(replied(Type.Object({ type: html }), { type: '<b>' }), { value: { type: '[<b>]' } })
  assert.deepEqual(replied(link, '/a'), { value: '/a' })
  assert.throws(() => replied(link, 'javascript:x'), {
    code: 'SWS_UNSAFE_URL',
    message: /^value of the reply to "ask"/,
  })
})

test('what is not as declared is no reply', () => {
  const count = Type.Object({ count: Type.Number() })
  for (const value of [undefined, null, 'x', 7, [], {}, { count: '7' }, () => {}, Symbol('s')]) {
    assert.throws(() => replied(count, value), { code: 'SWS_INVALID_OUTPUT' }, String(value))
  }
  assert.throws(() => replied(count, 7n), { code: 'SWS_NOT_ENCODABLE' })
  assert.throws(() => replied(Type.Array(count), new Map([['count', 1]])), { code: 'SWS_NOT_ENCODABLE' })
})

test('a wrong declaration fails the start by name', () => {
  for (const [schema, value] of [
    [true, 'true'],
    ['string', '"string"'],
    [null, 'null'],
    [[], '[]'],
  ] as const) {
    const message = `fastify-secure-ws: option \`at.reply\` is ${value}. Write a schema, of any kind of value.`
    assert.throws(() => compileReply('ask', schema, 'at.reply', sanitizeHtml, () => {}), {
      code: 'SWS_BAD_OPTION',
      message,
    })
  }
})

test('any object is read the same way as a message and as a reply', () => {
  const name = fc.constantFrom('a', 'b', 'passwordHash', '__proto__', 'toString')
  const leaf = fc.oneof(fc.constant(Type.String()), fc.constant(Type.Number()), fc.constant(Type.Unknown()))
  const { object } = fc.letrec<{ schema: object; object: object }>((tie) => ({
    schema: fc.oneof(
      { depthSize: 'small' },
      leaf,
      tie('object'),
      tie('schema').map((items) => ({ type: 'array', items })),
      fc.tuple(tie('object'), tie('object')).map((anyOf) => ({ anyOf })),
    ),
    object: fc.dictionary(name, tie('schema'), { maxKeys: 3 }).map((properties) => ({ type: 'object', properties })),
  }))
  const value = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 })
  let agreed = 0
  fc.assert(
    fc.property(object, value, (schema, given) => {
      const sends = { m: { schema } }
      const policy = compileOutbound({ encode: 'html', sends, path: 'secureWs', sanitizeHtml, warn: () => {} })
      const asMessage = outcomeOf(() => {
        const outgoing = encodeOutgoing({ ...given, type: 'm' }, policy)
        assert.ok(!(outgoing instanceof Promise))
        const { type: _, ...body } = JSON.parse(String(outgoing.payload))
        return body
      })
      const asReply = outcomeOf(() => (replied(schema, given) as { value: unknown }).value)
      assert.deepEqual(asReply, asMessage)
      if (!('failed' in asReply)) agreed += 1
    }),
    { numRuns: 2000 },
  )
  assert.ok(agreed > 200, `only ${agreed} of them were sent`)
})

function outcomeOf(work: () => unknown): { value: unknown } | { failed: unknown } {
  try {
    return { value: work() }
  } catch (error) {
    return { failed: error instanceof Error && 'code' in error ? error.code : error }
  }
}
