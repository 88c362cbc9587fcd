import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerdictCache } from '../../src/sanitizing/verdict-cache.ts'

test('what is about the document is remembered, what is about the moment is not', () => {
  const cache = createVerdictCache(10)
  cache.set('<a>', { clean: '<a></a>' })
  cache.set('<b>', { refused: 'nested', because: 'document' })
  cache.set('<i>', { refused: 'full', because: 'pool' })
  assert.deepEqual(cache.get('<a>'), { clean: '<a></a>' })
  assert.deepEqual(cache.get('<b>'), { refused: 'nested', because: 'document' })
  assert.equal(cache.get('<i>'), undefined)
})

// Whoever finds a second text with the key of another gets, or plants, its outcome.
test('only the same text, unit for unit, finds an outcome', () => {
  const cache = createVerdictCache(10)
  for (const dirty of ['<b>', `<p>${'x'.repeat(2_000)}`]) {
    cache.set(`${dirty}\ud800`, { clean: dirty })
    assert.deepEqual(cache.get(`${dirty}\ud800`), { clean: dirty })
    // UTF-8 has one and the same sequence for all of these.
    assert.equal(cache.get(`${dirty}\ud801`), undefined)
    assert.equal(cache.get(`${dirty}\ufffd`), undefined)
    // And units cut down to a byte would make these the same.
    assert.equal(cache.get(`${dirty}\u0000`), undefined)
    assert.equal(cache.get(dirty), undefined)
    // Nor does a text stand for the one that it is the key of.
    assert.equal(cache.get(hash('sha256', Buffer.from(`${dirty}\ud800`, 'utf16le'))), undefined)
  }
})

test('entries and total size are bounded', () => {
  const few = createVerdictCache(3)
  for (let index = 0; index < 10; index++) few.set(`<p>${index}`, { clean: 'x' })
  assert.equal(few.size, 3)
  const large = createVerdictCache(1_000)
  for (let index = 0; index < 20; index++) large.set(`<p>${index}`, { clean: 'x'.repeat(1_000_000) })
  assert.ok(large.size <= 8, `${large.size}`)
  const none = createVerdictCache(0)
  none.set('<p>', { clean: 'x' })
  assert.equal(none.get('<p>'), undefined)
})

// A document that took too long on a busy machine is not refused for ever; what was found out about it is kept.
test('only a verdict about time, or of a broken worker, is forgotten after a minute', async (t) => {
  let now = 1_000
  t.mock.method(performance, 'now', () => now)
  const cache = createVerdictCache(10)
  cache.set('<a>', { clean: '<a></a>' })
  cache.set('<b>', { refused: 'nested', because: 'document' })
  cache.set('<s>', { refused: 'slow', because: 'time' })
  cache.set('<w>', { refused: 'ended', because: 'worker' })
  assert.ok(cache.get('<s>'))
  assert.ok(cache.get('<w>'))
  now += 60_001
  // The cache looks at the clock once in a millisecond.
  await sleep(5)
  assert.equal(cache.get('<s>'), undefined)
  assert.equal(cache.get('<w>'), undefined)
  assert.ok(cache.get('<a>'))
  assert.ok(cache.get('<b>'))
})

test('a long document costs the cache its digest, not its length', () => {
  const cache = createVerdictCache(100)
  for (let index = 0; index < 20; index++) cache.set(`<p>${index}${'x'.repeat(1_000_000)}`, { clean: 'x' })
  assert.equal(cache.size, 20)
})

test('the shortest of all is kept, and forgotten when asked to', () => {
  const cache = createVerdictCache(10)
  cache.set('<', { clean: '' })
  assert.deepEqual(cache.get('<'), { clean: '' })
  cache.clear()
  assert.equal(cache.get('<'), undefined)
})
