import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ways } from './abandoned.ts'
import { soak, soakFewFiles } from './soak.ts'

// The whole of it is `npm run soak:door`.
test('D1 streams in every way, one after the other: counts and files are back, and the server closes', async () => {
  assert.ok(ways.length >= 10)
  for (const way of ways) {
    const { events, connections, filesLeft, closedWithin } = await soak(way, false, 10)
    assert.deepEqual([events, connections, filesLeft], [10, 0, 0], way[0])
    assert.ok(closedWithin < 30_000)
  }
})

// Two hundred and fifty were enough: the server accepted nobody any more, and did not close.
test('D1 a server that may have 256 files survives more streams than that', async () => {
  assert.equal(await soakFewFiles(400), 101)
})
