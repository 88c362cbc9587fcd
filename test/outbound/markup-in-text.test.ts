import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dangerouslyTrustHtml } from '../../src/outbound/encoded.ts'
import { compileOutbound, compileReply, encodeOutgoing } from '../../src/outbound/outbound.ts'

const bold = dangerouslyTrustHtml('<b>Ada</b>')
const text = { type: 'string' }
const html = { type: 'string', contentMediaType: 'text/html' }
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const advice = /an Encoded<'html'>\) where a text is declared.*Write `contentMediaType: 'text\/html'`/

function sender(schema: object) {
  const warnings: string[] = []
  const policy = compileOutbound({
    encode: 'html',
    sends: { m: { schema }, n: { schema } },
    path: 'secureWs',
    sanitizeHtml: (dirty) => dirty,
    warn: (warning) => warnings.push(warning),
  })
  const send = (value: object) => {
    const outgoing = encodeOutgoing({ type: 'm', ...value }, policy)
    assert.ok(!(outgoing instanceof Promise))
    const { type: _, ...sent } = JSON.parse(String(outgoing.payload))
    return sent
  }
  return { send, warnings, policy }
}

// It is safe, and shows its tags: nobody means it.
test('markup where a text is declared is encoded as text, and warned of once for each type', () => {
  const { send, warnings, policy } = sender(object({ by: text, body: html, list: { type: 'array', items: text } }))
  assert.deepEqual(send({ by: bold, body: bold }), { by: '&lt;b&gt;Ada&lt;/b&gt;', body: '<b>Ada</b>' })
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /^fastify-secure-ws: secureWs\.sends: the message "m" has markup/)
  assert.match(warnings[0] ?? '', advice)
  send({ list: [bold] })
  assert.equal(warnings.length, 1)
  encodeOutgoing({ type: 'n', list: [bold] }, policy)
  assert.equal(warnings.length, 2)
  assert.ok(warnings.every((warning) => !warning.includes('Ada')))
})

test('a branch that holds says whether it is markup', () => {
  const kind = (name: string, body: object) => object({ kind: { const: name }, body }, { required: ['kind'] })
  const { send, warnings } = sender({ anyOf: [kind('rich', html), kind('plain', text)] })
  assert.deepEqual(send({ kind: 'rich', body: bold }), { kind: 'rich', body: '<b>Ada</b>' })
  assert.deepEqual(warnings, [])
  assert.deepEqual(send({ kind: 'plain', body: bold }), { kind: 'plain', body: '&lt;b&gt;Ada&lt;/b&gt;' })
  assert.equal(warnings.length, 1)
})

test('a reply is warned of as well; near misses are not', () => {
  const warnings: string[] = []
  const reply = (schema: object) =>
    compileReply('ask', schema, 'secureWs.receives.ask.reply', assert.fail, (warning) => warnings.push(warning))
  reply(object({ by: html }))({ by: bold })
  reply(html)(bold)
  reply(object({ by: text }))({ by: '<b>', undeclared: bold })
  assert.deepEqual(warnings, [])
  reply(object({ by: text }))({ by: bold })
  assert.match(warnings[0] ?? '', /secureWs\.receives\.ask\.reply: the reply to "ask" has markup/)
  reply(text)(bold)
  assert.equal(warnings.length, 2)
})
