import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outbox, Waiting } from '../../src/connection/outbox.ts'

const own = (bytes: number, fin = true, begins = true) => new Waiting({ own: true, bytes, begins, options: { fin } })
const shared = (bytes: number, key?: string) => new Waiting({ own: false, bytes, begins: true, key })

test('payloads leave in the order in which they came, each counted while it is in', () => {
  const outbox = new Outbox()
  const [a, b, c] = [own(1), shared(2), own(4)]
  for (const each of [a, b, c]) outbox.add(each)
  assert.deepEqual([outbox.size, outbox.bytes], [3, 7])
  outbox.delete(b)
  assert.deepEqual([outbox.size, outbox.bytes, b.isIn], [2, 5, false])
  assert.equal(outbox.next(false), a)
  outbox.delete(a)
  assert.equal(outbox.next(false), c)
  outbox.delete(c)
  assert.deepEqual([outbox.size, outbox.bytes, outbox.next(false)], [0, 0, undefined])
  outbox.add(b)
  assert.equal(outbox.next(false), b)
})

test('what was being made counts as what it has become', () => {
  const outbox = new Outbox()
  const waiting = shared(100)
  outbox.add(waiting)
  outbox.fill(waiting, { payload: 'xy', binary: false }, 2)
  assert.deepEqual([outbox.bytes, waiting.content], [2, { payload: 'xy', binary: false }])
  outbox.delete(waiting)
  assert.equal(outbox.bytes, 0)
})

test('between fragments it is the turn of the next fragment, and of nobody else', () => {
  const outbox = new Outbox()
  outbox.add(shared(1))
  assert.equal(outbox.next(true), undefined)
  const rest = own(1)
  outbox.add(rest)
  assert.equal(outbox.next(true), rest)
  assert.notEqual(outbox.next(false), rest)
})

test('the oldest message is taken with all its fragments, and one that has begun to leave is not', () => {
  const outbox = new Outbox()
  const rest = own(1, true, false)
  const [first, between, second, last] = [own(1, false), shared(1), own(1, false, false), own(1, true, false)]
  const open = own(1, false)
  for (const each of [rest, first, between, second, last, open]) outbox.add(each)
  assert.deepEqual(outbox.takeOldest(), [first, second, last])
  assert.deepEqual(outbox.takeOldest(), [between])
  assert.deepEqual(outbox.takeOldest(), [open])
  assert.deepEqual(outbox.takeOldest(), [])
  assert.equal(outbox.next(true), rest)
})

test('a payload is found by its key while it is in', () => {
  const outbox = new Outbox()
  const [a, b] = [shared(1, 'a'), shared(1, 'constructor')]
  outbox.add(a)
  outbox.add(b)
  assert.deepEqual([outbox.keyed('a'), outbox.keyed('constructor'), outbox.keyed('toString')], [a, b, undefined])
  outbox.delete(a)
  assert.equal(outbox.keyed('a'), undefined)
  const newer = shared(1, 'a')
  outbox.add(newer)
  assert.equal(outbox.keyed('a'), newer)
})

test('what is emptied comes out whole, in order, and is out', () => {
  const outbox = new Outbox()
  const all = [own(1), shared(1), own(1)]
  for (const each of all) outbox.add(each)
  assert.deepEqual([...outbox.empty()], all)
  assert.deepEqual([outbox.size, outbox.bytes, all.some(({ isIn }) => isIn)], [0, 0, false])
})

// A Set skips what was deleted before its first member each time: 200,000 took six seconds.
test('many leave one by one in time that is theirs', () => {
  const outbox = new Outbox()
  for (let at = 0; at < 200_000; at++) outbox.add(shared(1))
  const { user, system } = process.cpuUsage()
  for (let next = outbox.next(false); next !== undefined; next = outbox.next(false)) outbox.delete(next)
  // What this process has computed: on a busy machine the clock runs on while others do.
  const spent = process.cpuUsage({ user, system })
  assert.ok(spent.user + spent.system < 2_000_000)
})

test('a message is taken with any of its fragments, and not when its beginning has left', () => {
  const outbox = new Outbox()
  const rest = own(1, true, false)
  const [first, second, last] = [own(1, false), own(1, false, false), own(1, true, false)]
  const [between, whole] = [shared(1), own(1)]
  const all = [rest, first, between, second, last, whole]
  for (const each of all) outbox.add(each)
  assert.deepEqual(outbox.takeWith(rest), [])
  for (const part of [first, second, last]) {
    assert.deepEqual(outbox.takeWith(part), [first, second, last])
    assert.deepEqual([outbox.size, outbox.next(false)], [3, rest])
    for (const each of [...outbox.empty()]) assert.equal(each.isIn, false)
    for (const each of all) outbox.add(each)
  }
  assert.deepEqual(outbox.takeWith(whole), [whole])
  assert.deepEqual(outbox.takeWith(between), [between])
  assert.equal(outbox.size, 4)
})
