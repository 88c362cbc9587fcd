import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressKey, isLoopbackAddress, unknownAddress } from '../../src/http/address.ts'

// A subscriber owns a /64 and can take a fresh address from it for every connection.
test('RS-12 every address of one IPv6 /64 has one key', () => {
  const suffix = fc.array(fc.nat(0xffff), { minLength: 4, maxLength: 4 })
  fc.assert(
    fc.property(suffix, (groups) => {
      const address = `2001:db8:0:1:${groups.map((group) => group.toString(16)).join(':')}`
      assert.equal(addressKey(address), '2001:db8:0:1::/64')
    }),
  )
})

test('the neighbouring /64 has another key', () => {
  assert.notEqual(addressKey('2001:db8:0:1::1'), addressKey('2001:db8:0:2::1'))
  assert.notEqual(addressKey('2001:db8::1'), addressKey('2001:db8:0:1::1'))
})

for (const [address, key] of [
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['2001:0DB8:0000:0001:0000:0000:0000:0001', '2001:db8:0:1::/64'],
  ['192.0.2.7:51234', '192.0.2.7'],
  ['[2001:db8:0:1::9]:51234', '2001:db8:0:1::/64'],
  ['[2001:db8:0:1::9]', '2001:db8:0:1::/64'],
] as const) {
  test(`${address} counts as ${key}`, () => assert.equal(addressKey(address), key))
}

// X-Forwarded-For of a trusted proxy may hold anything: it must not become a key of its own.
for (const address of [
  undefined,
  '',
  'unknown',
  '_hidden',
  '192.0.2',
  '192.0.2.7.8',
  '1.2.3.4, 5.6.7.8',
  '[x]',
  ':::',
]) {
  test(`X-7 ${address} counts with all unknown ones`, () => assert.equal(addressKey(address), unknownAddress))
}

for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1']) {
  test(`${address} is loopback`, () => assert.equal(isLoopbackAddress(address), true))
}

for (const address of [
  undefined,
  '',
  '128.0.0.1',
  '1127.0.0.1',
  '::2',
  '::',
  '::ffff:128.0.0.1',
  '0.0.0.0',
  '1::1',
  'localhost',
]) {
  test(`${address} is not loopback`, () => assert.equal(isLoopbackAddress(address), false))
}
