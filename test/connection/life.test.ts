import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exceedsOutbound } from '../../src/connection/backpressure.ts'
import { checkLife, type Life } from '../../src/connection/life.ts'

const limits = {
  heartbeat: { every: 100, timeout: 50 },
  partialMessage: 30,
  idle: 1_000,
  lifetime: 5_000,
  writeTimeout: 40,
}
const openedAt = 1_000_000
const quiet: Life = {
  openedAt,
  expiresAt: undefined,
  lastMessageAt: openedAt,
  pingedAt: openedAt,
  awaitingPong: false,
  partialSince: undefined,
  write: { markedAt: undefined },
}
const verdict = (change: Partial<Life>, after: number) => {
  const found = checkLife(
    { ...quiet, pingedAt: openedAt + after, lastMessageAt: openedAt + after, ...change },
    limits,
    openedAt + after,
  )
  return found === undefined ? undefined : 'code' in found ? `${found.kind} ${found.code}` : found.kind
}

// Each limit one millisecond before it is over, and when it is.
const edges: readonly (readonly [name: string, change: Partial<Life>, after: number, said: string])[] = [
  ['expiry', { expiresAt: openedAt + 10 }, 10, 'close 3000'],
  ['lifetime', {}, 5_000, 'close 3008'],
  ['a pong', { awaitingPong: true, pingedAt: openedAt }, 50, 'terminate 3008'],
  ['half a message', { partialSince: openedAt }, 30, 'close 3008'],
  ['idleness', { lastMessageAt: openedAt }, 1_000, 'close 3008'],
  ['a stalled write', { write: { markedAt: openedAt } }, 40, 'slow'],
  ['a ping', { pingedAt: openedAt }, 100, 'ping'],
]
for (const [name, change, after, said] of edges) {
  test(`${name}: nothing a millisecond before, ${said} on time`, () => {
    assert.equal(verdict(change, after - 1), undefined)
    assert.equal(verdict(change, after), said)
  })
}

test('SE-04 expiry comes before everything, and 400 days are 400 days', () => {
  const all = { expiresAt: openedAt, awaitingPong: true, pingedAt: 0, partialSince: 0, lastMessageAt: 0 }
  assert.equal(verdict(all, 0), 'close 3000')
  assert.equal(verdict({ expiresAt: openedAt + 400 * 86_400_000 }, 4_999), undefined)
})

test('RS-03 no second ping while one is unanswered', () => {
  assert.equal(verdict({ awaitingPong: true, pingedAt: openedAt - 1 }, 48), undefined)
})

test('RS-14 a ping that is due at every visit does not hide half a message, idleness or a stalled write', () => {
  assert.equal(verdict({ pingedAt: 0, partialSince: openedAt }, 30), 'close 3008')
  assert.equal(verdict({ pingedAt: 0, lastMessageAt: 0 }, 1), 'close 3008')
  assert.equal(verdict({ pingedAt: 0, write: { markedAt: openedAt } }, 40), 'slow')
})

test('RS-09 bytes are counted, not characters, and only when the length alone does not decide', () => {
  assert.equal(exceedsOutbound(0, 'abc', 3), false)
  assert.equal(exceedsOutbound(1, 'abc', 3), true)
  assert.equal(exceedsOutbound(0, '\u20ac', 2), true)
  assert.equal(exceedsOutbound(0, '\u20ac', 3), false)
  assert.equal(exceedsOutbound(0, '\u00e9a', 3), false)
  assert.equal(exceedsOutbound(0, '\u{1f600}', 3), true)
  assert.equal(exceedsOutbound(0, '\u{1f600}', 4), false)
  assert.equal(exceedsOutbound(5, { byteLength: 5 }, 10), false)
  assert.equal(exceedsOutbound(6, { byteLength: 5 }, 10), true)
})
