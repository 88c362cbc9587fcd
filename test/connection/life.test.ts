import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkLife, checkLifetime, Life, type LifeState, type Progress } from '../../src/connection/life.ts'
import { exceeds } from '../../src/connection/sending.ts'
import fc from '../harness/fast-check.ts'

const limits = {
  heartbeat: { every: 100, timeout: 50 },
  partialMessage: 30,
  idle: 1_000,
  lifetime: 5_000,
  writeTimeout: 40,
}
const at = 1_000
const quiet: LifeState = {
  activeAt: at,
  pingedAt: at,
  awaitingPong: false,
  partialSince: undefined,
  stalledSince: undefined,
}
const name = (found: ReturnType<typeof checkLife>) =>
  found === undefined ? undefined : 'code' in found ? `${found.kind} ${found.code}` : found.kind
const verdict = (change: Partial<LifeState>, after: number) =>
  name(checkLife({ ...quiet, ...change }, limits, at + after))

// Each limit one millisecond before it is over, and when it is.
const edges: readonly (readonly [name: string, change: Partial<LifeState>, after: number, said: string])[] = [
  ['a pong', { awaitingPong: true }, 50, 'terminate 3008'],
  ['half a message', { partialSince: at }, 30, 'close 3008'],
  ['idleness', {}, 1_000, 'close 3008'],
  ['a stalled write', { stalledSince: at }, 40, 'slow'],
]
for (const [name, change, after, said] of edges) {
  test(`${name}: nothing a millisecond before, ${said} on time`, () => {
    assert.equal(verdict(change, after - 1), undefined)
    assert.equal(verdict(change, after), said)
  })
}

test('a lifetime: nothing a millisecond before, closed on time', () => {
  assert.equal(checkLifetime(4_999, 5_000), undefined)
  assert.equal(name(checkLifetime(5_000, 5_000)), 'close 3008')
})

const idleStream: Progress = { reading: true, midMessage: false, waiting: 0, written: 0 }

/** One socket, visited by hand. */
function visited() {
  const socket = { id: '0123456789abcdef', received: 0, sent: 0 }
  const life = new Life(socket)
  return {
    socket,
    life,
    visit: (served: number, change: Partial<Progress> = {}, late = false, limit: Partial<typeof limits> = {}) =>
      life.verdict({ ...idleStream, ...change }, { ...limits, ...limit }, { served, late }),
  }
}

test('RS-03 a ping is due after its time, and no second one while it is unanswered', () => {
  const { life, visit } = visited()
  assert.equal(visit(0), undefined)
  assert.equal(visit(99), undefined)
  const ping = visit(100)
  assert.ok(ping?.kind === 'ping')
  assert.equal(visit(149), undefined)
  // RS-02: any other pong answers nothing.
  assert.equal(life.answered(Buffer.from('pong')), false)
  assert.equal(life.answered(ping.payload), true)
  assert.equal(life.answered(ping.payload), false)
  assert.equal(visit(199), undefined)
  assert.equal(visit(200)?.kind, 'ping')
  assert.equal(name(visit(250)), 'terminate 3008')
})

test('RS-14 a ping that is due at every visit does not hide half a message, idleness or a stalled write', () => {
  const often = { heartbeat: { every: 1, timeout: 1 } }
  const unanswered: readonly [Partial<Progress>, number, string][] = [
    [{ midMessage: true }, 30, 'close 3008'],
    [{}, 1_000, 'close 3008'],
    [{ waiting: 5 }, 40, 'slow'],
  ]
  for (const [progress, when, said] of unanswered) {
    const { life, visit } = visited()
    for (let served = 0; served < when; served++) {
      const ping = visit(served, progress, false, often)
      if (served > 0) assert.ok(ping?.kind === 'ping', `at ${served}`)
      if (ping?.kind === 'ping') life.answered(ping.payload)
    }
    assert.equal(name(visit(when, progress, false, often)), said)
  }
})

test('idleness counts from the visit after the last message, so never early', () => {
  const { socket, visit } = visited()
  const limit = { heartbeat: { every: 1_000_000, timeout: 1 } }
  visit(0, {}, false, limit)
  socket.received++
  visit(600, {}, false, limit)
  socket.sent++
  visit(900, {}, false, limit)
  assert.equal(visit(1_899, {}, false, limit), undefined)
  assert.equal(name(visit(1_900, {}, false, limit)), 'close 3008')
})

test('half a message counts from when it was seen, and anew with each message', () => {
  const { socket, visit } = visited()
  visit(0, { midMessage: true })
  socket.received++
  visit(29, { midMessage: true })
  assert.equal(visit(58, { midMessage: true }), undefined)
  // While we do not read, the rest cannot come.
  visit(59, { midMessage: true, reading: false })
  assert.equal(visit(88, { midMessage: true }), undefined)
  assert.equal(name(visit(118, { midMessage: true })), 'close 3008')
})

test('C6 a visit right after a pause condemns nobody, the one after it does', () => {
  const { visit } = visited()
  visit(0)
  assert.equal(visit(100)?.kind, 'ping')
  assert.equal(visit(200, { midMessage: true, waiting: 1 }, true), undefined)
  assert.equal(name(visit(200)), 'terminate 3008')
})

test('after the close frame a peer has its time', () => {
  const { life } = visited()
  const after = (served: number) => life.outstayed(40, { served })
  assert.deepEqual([after(100), after(139), after(140)], [false, false, true])
})

test('RS-09 a mark is cleared by what waited then, not by a byte now and then', () => {
  const { visit } = visited()
  visit(0, { waiting: 100, written: 0 })
  assert.equal(visit(39, { waiting: 100, written: 99 }), undefined)
  assert.equal(visit(40, { waiting: 100, written: 100 }), undefined)
  assert.equal(visit(79, { waiting: 100, written: 199 }), undefined)
  assert.equal(visit(80, { waiting: 1, written: 199 })?.kind, 'slow')
})

test('RS-09 bytes are counted, not characters, and only when the length alone does not decide', () => {
  assert.equal(exceeds(0, 'abc', 3), false)
  assert.equal(exceeds(1, 'abc', 3), true)
  assert.equal(exceeds(0, '\u20ac', 2), true)
  assert.equal(exceeds(0, '\u20ac', 3), false)
  assert.equal(exceeds(0, '\u00e9a', 3), false)
  assert.equal(exceeds(0, '\u{1f600}', 3), true)
  assert.equal(exceeds(0, '\u{1f600}', 4), false)
  assert.equal(exceeds(5, { byteLength: 5 }, 10), false)
  assert.equal(exceeds(6, { byteLength: 5 }, 10), true)
})

test('nothing is looked at while nothing can be due, and every visit counts while something is awaited', () => {
  const { life, visit } = visited()
  const quiet = (served: number) => life.quiet(limits, { served })
  visit(0)
  // Of half a message, and of bytes that wait, the port tells.
  assert.equal(quiet(0), limits.heartbeat.every)
  visit(95)
  assert.equal(quiet(95), 5)
  visit(96, { midMessage: true })
  assert.equal(quiet(96), 0)
  visit(97, { waiting: 1 })
  assert.equal(quiet(97), 0)
  visit(98)
  assert.equal(quiet(98), 2)
  assert.equal(visit(100)?.kind, 'ping')
  assert.equal(quiet(100), 0)
})

test('RS-14 whoever is looked at only when that is over and when something begins, ends as one who always is, and when', () => {
  const [every, rounds] = [2, 700]
  const change = fc.record({ from: fc.nat(rounds), midMessage: fc.boolean(), waiting: fc.constantFrom(0, 9) })
  fc.assert(
    // What has begun stays so: half a message that is completed before anybody looks was no fault.
    fc.property(change, fc.boolean(), ({ from, midMessage, waiting }, answers) => {
      const ends = [true, false].map((isLazy) => {
        const { life, visit } = visited()
        let next = 0
        for (let round = 0; round < rounds; round++) {
          if (isLazy && round < next && round !== from) continue
          const found = visit(round * every, round < from ? {} : { midMessage, waiting })
          if (found?.kind === 'ping' && answers) life.answered(found.payload)
          else if (found !== undefined && found.kind !== 'ping') return { at: round * every, kind: found.kind }
          next = round + Math.floor(life.quiet(limits, { served: round * every }) / every)
        }
        return undefined
      })
      const [lazy, always] = ends
      assert.equal(lazy === undefined, always === undefined)
      if (lazy === undefined || always === undefined) return
      assert.ok(lazy.at - always.at <= every, `${lazy.kind} ${lazy.at}, ${always.at}`)
    }),
    { numRuns: 300 },
  )
})
