import assert from 'node:assert/strict'
import { test } from 'node:test'
import { socketId } from '../../src/ws/socket-id.ts'

test('ids are 22 characters of base64url, and no two are the same, far beyond one draw', () => {
  const ids = Array.from({ length: 10_000 }, socketId)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[\w-]{22}$/)
})

// A pool that was read a byte too far, or handed out before it was filled, would show as a bit that never changes.
test('every bit of an id is as often set as not', () => {
  const counts = new Array<number>(128).fill(0)
  const rounds = 10_000
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(socketId(), 'base64url')
    for (let bit = 0; bit < 128; bit++) counts[bit] = (counts[bit] ?? 0) + (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1)
  }
  // Ten standard deviations: by chance never.
  for (const count of counts) assert.ok(Math.abs(count - rounds / 2) < 500, String(count))
})
