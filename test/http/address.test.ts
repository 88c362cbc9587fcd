import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressKey, isLoopbackAddress, unknownAddress } from '../../src/http/address.ts'
import fc from '../harness/fast-check.ts'

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
  ['64:ff9b::192.0.2.7', '192.0.2.7'],
  ['64:ff9b::c000:207', '192.0.2.7'],
  ['::ffff:0:192.0.2.7', '192.0.2.7'],
  ['2002:c000:207::1', '192.0.2.7'],
  ['2002:c000:207:ffff::9', '192.0.2.7'],
  ['2001:0:4136:e378:8000:63bf:3fff:fdf8', '192.0.2.7'],
  ['64:ff9b:1::192.0.2.7', '64:ff9b:1:0:0:0:c000:207'],
  // Near misses: one bit beside each prefix is an ordinary network.
  ['64:ff9b:2::c000:207', '64:ff9b:2:0::/64'],
  ['64:ff9b:0:1::c000:207', '64:ff9b:0:1::/64'],
  ['64:ff9a::c000:207', '64:ff9a:0:0::/64'],
  ['2003:c000:207::1', '2003:c000:207:0::/64'],
  ['2001:1::c000:207', '2001:1:0:0::/64'],
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
  // A translator's or a tunnel's: somebody else's loopback at best.
  '64:ff9b::127.0.0.1',
  '::ffff:0:127.0.0.1',
  '2002:7f00:1::',
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

// D4: all of IPv4 was one bucket behind NAT64, and a host with 6to4 had two.
test('two IPv4 addresses never share a key behind a translator, and one never has two', () => {
  const word = (octets: readonly number[], at: number) => ((octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0)).toString(16)
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(octets, fc.nat(0xffff), fc.nat(0xffff), (four, one, other) => {
      const address = four.join('.')
      const hex = [one, other].map((each) => each.toString(16))
      const flipped = four.map((each) => 255 - each)
      for (const written of [
        `::ffff:${address}`,
        `::ffff:0:${address}`,
        `64:ff9b::${address}`,
        `2002:${word(four, 0)}:${word(four, 2)}:${hex[0]}::${hex[1]}`,
        `2001:0:${hex[0]}:${hex[1]}:8000:1:${word(flipped, 0)}:${word(flipped, 2)}`,
      ]) {
        assert.equal(addressKey(written), address, written)
      }
    }),
  )
})

// One bit beside a prefix is somebody's own network: taken for the prefix, `1::ffff:127.0.0.1` would be this machine, and whoever
// owns such a /64 would choose the address that is counted.
test('an address one bit beside a prefix counts as itself, and is not loopback', () => {
  const bits = (groups: readonly number[]) => groups.map((group) => group.toString(16)).join(':')
  for (const [prefix, known] of [
    [[0, 0, 0, 0, 0, 0xffff], 96],
    [[0, 0, 0, 0, 0xffff, 0], 96],
    [[0x64, 0xff9b, 0, 0, 0, 0], 96],
    [[0x64, 0xff9b, 1, 0, 0, 0], 48],
    [[0x2002, 0x7f00, 1, 0, 0, 0], 16],
    [[0x2001, 0, 0, 0, 0, 0], 32],
    [[0, 0, 0, 0, 0, 0], 96],
  ] as const) {
    for (let bit = 0; bit < known; bit++) {
      const groups = [...prefix, 0x7f00, 1]
      groups[bit >> 4] = (groups[bit >> 4] ?? 0) ^ (0x8000 >> (bit & 15))
      const address = bits(groups)
      // A bit of one prefix is all that is between some of these.
      if (/^(?:64:ff9b:1:|64:ff9b:0:0:0:0:|2001:0:|2002:|0:0:0:0:0:ffff:|0:0:0:0:ffff:0:)/.test(address)) continue
      assert.equal(addressKey(address), `${bits(groups.slice(0, 4))}::/64`)
      assert.ok(!isLoopbackAddress(address), address)
    }
  }
})

test('brackets and a port are read whole, or not at all', () => {
  for (const address of [
    'x[2001:db8::1]',
    '[2001:db8::1]x',
    '[2001:db8::1]:80x',
    'x192.0.2.7:80',
    '192.0.2.7:80x',
    '[192.0.2.7:80',
  ]) {
    assert.equal(addressKey(address), unknownAddress, address)
  }
})
