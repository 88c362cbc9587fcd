import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { test } from 'node:test'
import { type HandshakeRefusalCode, handshakeRefusals } from '../../src/errors.ts'
import { refusalBody, refuse } from '../../src/http/refusal.ts'

const codes = Object.keys(handshakeRefusals).filter((code): code is HandshakeRefusalCode => code in handshakeRefusals)

for (const code of codes) {
  test(`${code}: the body holds status, code and the status text, and nothing of the reason`, () => {
    const refusal = refuse(code, 'the secret reason', { advice: 'the advice' })
    const { status } = handshakeRefusals[code]
    assert.deepEqual(refusalBody(refusal), { statusCode: status, code, error: STATUS_CODES[status] })
  })

  test(`${code}: the table says the status text of its status`, () => {
    assert.equal(handshakeRefusals[code].error, STATUS_CODES[handshakeRefusals[code].status])
  })
}

test('one code may have another status, and then the text of that one', () => {
  const refusal = refuse('SWS_TOO_MANY_CONNECTIONS', 'too many', { status: 429 })
  assert.deepEqual(refusalBody(refusal), {
    statusCode: 429,
    code: 'SWS_TOO_MANY_CONNECTIONS',
    error: 'Too Many Requests',
  })
})
