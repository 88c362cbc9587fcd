import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBusFaults } from '../../src/relay/bus-faults.ts'
import { faultOf, reasonOf } from '../../src/relay/fault.ts'

const coded = (code: string, message = 'hunter2') => Object.assign(new Error(message), { code })

const named: readonly (readonly [error: unknown, name: string | undefined])[] = [
  [new Error('WRONGPASS invalid username-password pair or user is disabled.'), 'wrong password'],
  [new Error('NOAUTH Authentication required.'), 'wrong password'],
  [new Error("NOPERM User app has no permissions to run the 'config|get' command"), 'missing right: CONFIG|GET'],
  [new Error('NOPERM No permissions to access a channel'), 'missing right: a channel'],
  [new Error('NOPERM No permissions to access a key'), 'missing right: a key'],
  [coded('ENOTFOUND'), 'unknown host'],
  [coded('EAI_AGAIN'), 'unknown host'],
  [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'TLS failed'],
  [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS failed'],
  [coded('CERT_HAS_EXPIRED'), 'TLS failed'],
  [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'TLS failed'],
  [new AggregateError([coded('ECONNREFUSED')], ''), 'connection refused'],
  [new Error('failed', { cause: coded('ECONNREFUSED') }), 'connection refused'],
  [new Error('LOADING Redis is loading the dataset in memory'), 'not ready'],
  [coded('ECONNRESET'), 'connection lost'],
  // Near misses: a word in the middle, a code of nobody's, no error at all.
  [new Error('the password is not WRONGPASS'), undefined],
  [coded('ERR_INVALID_ARG_TYPE'), undefined],
  ['WRONGPASS', undefined],
  [null, undefined],
]
for (const [error, name] of named) {
  test(`${String(error)} ${Reflect.get(Object(error), 'code') ?? ''} is ${name ?? 'not named'}`, () => {
    assert.equal(faultOf(error)?.name, name)
    assert.doesNotMatch(reasonOf(error), /hunter2|username|channel$(?<!a channel)/)
  })
}

test('an audit event says our own sentences whole, and of others the kind alone', () => {
  assert.equal(reasonOf(new Error('the bus is closed')), 'Error: the bus is closed')
  assert.equal(reasonOf(new Error('the bus is closed\nhunter2')), 'Error')
  assert.equal(reasonOf(new TypeError('hunter2')), 'TypeError')
  assert.equal(reasonOf(Object.assign(new Error('x'), { name: 'hunter 2' })), 'Error')
})

test('a cause is told once, its symptoms never, and a change at once', () => {
  const told: string[] = []
  const write = (fields: object) => void told.push(String(Reflect.get(fields, 'fault') ?? 'back'))
  const faults = createBusFaults('redis', { info: write, warn: write, error: write })
  const away = new Error('Redis is away')
  for (const error of [
    coded('ENOTFOUND'),
    away,
    coded('ENOTFOUND'),
    new Error('WRONGPASS'),
    away,
    coded('ENOTFOUND'),
  ]) {
    faults.failed(error)
  }
  faults.recovered()
  faults.recovered()
  faults.failed(new TypeError('of the application'))
  faults.failed(away)
  faults.failed(coded('ECONNREFUSED'))
  assert.deepEqual(told, ['unknown host', 'wrong password', 'unknown host', 'back', 'away', 'connection refused'])
})

// A bus has two connections: one that notices later than the other told the same outage over and over.
test('the second connection of a bus, which is lost after the first was refused, is no change', () => {
  const told: string[] = []
  const write = (fields: object) => void told.push(String(Reflect.get(fields, 'fault') ?? 'back'))
  const faults = createBusFaults('redis', { info: write, warn: write, error: write })
  for (const code of ['ECONNRESET', 'ECONNREFUSED', 'ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'ECONNRESET']) {
    faults.failed(coded(code))
  }
  faults.recovered()
  faults.failed(coded('ECONNRESET'))
  assert.deepEqual(told, ['connection lost', 'connection refused', 'unknown host', 'back', 'connection lost'])
})
