import assert from 'node:assert/strict'
import { test } from 'node:test'
import { halfSipHash, hashKey } from '../../src/capacity/half-sip-hash.ts'

const key = hashKey(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]))

function hexOf(text: string): string {
  const bytes = Buffer.alloc(8)
  const { first, second } = halfSipHash(text, key)
  bytes.writeUInt32LE(first, 0)
  bytes.writeUInt32LE(second, 4)
  return bytes.toString('hex')
}

test('the results are those of the reference implementation: no bytes, and the byte 0', () => {
  assert.equal(hexOf(''), '218d1f59b9b83cc8')
  assert.equal(hexOf('\0'), 'be552412f8387315')
})

test('each byte, the length and the key count', () => {
  const texts = [
    '',
    '\0',
    '\0\0',
    '1.2.3.4',
    '1.2.3.5',
    '1.2.3.40',
    '11.2.3.4',
    '2001:db8:0:1::/64',
    '2001:db8:0:2::/64',
  ]
  assert.equal(new Set(texts.map(hexOf)).size, texts.length)
  assert.notDeepEqual({ ...halfSipHash('1.2.3.4', key) }, { ...halfSipHash('1.2.3.4', hashKey(Buffer.alloc(8, 1))) })
})

test('65,536 neighbouring addresses spread evenly over 16,384 places', () => {
  const places = new Uint32Array(16_384)
  for (let n = 0; n < 65_536; n++) {
    const place = halfSipHash(`10.0.${n >> 8}.${n & 255}`, key).first & 0x3fff
    places[place] = (places[place] ?? 0) + 1
  }
  // Four each on average; of a fair draw fewer than one place in a million has more than 24.
  assert.ok(Math.max(...places) <= 24)
  const empty = places.filter((count) => count === 0).length / places.length
  assert.ok(Math.abs(empty - Math.exp(-4)) < 0.005, `${empty} are empty`)
})
