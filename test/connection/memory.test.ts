import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Keeper, MemoryBudget } from '../../src/connection/memory.ts'
import fc from '../harness/fast-check.ts'

class Socket implements Keeper {
  inWire: number
  queued: number
  ended = false
  gone = false
  reason = ''

  constructor(inWire: number, queued = 0) {
    this.inWire = inWire
    this.queued = queued
  }

  end(code: number, reason: string, { terminate }: { terminate?: boolean }): void {
    assert.deepEqual([code, terminate], [1013, true])
    this.ended = true
    this.reason = reason
    this.terminate()
  }

  terminate(): void {
    this.gone = true
  }
}

function budgetOf(limit: number, sockets: Iterable<Socket>, buffers = Number.POSITIVE_INFINITY) {
  const overloads: [number, number][] = []
  const clock = { now: 0 }
  const memory = new MemoryBudget({
    limit,
    keepers: () => sockets,
    uptime: () => clock.now,
    overloaded: (...each) => overloads.push(each),
    buffers: () => buffers,
  })
  return { memory, overloads, clock }
}

const goneOf = (sockets: readonly Socket[]) => sockets.map(({ gone }) => gone)

test('the largest go first, until a quarter is free, and those that wait for nothing stay', () => {
  const sockets = [new Socket(100), new Socket(0), new Socket(400), new Socket(300, 60), new Socket(40)]
  const { memory, overloads } = budgetOf(1_000, sockets)
  memory.measure()
  assert.deepEqual(goneOf(sockets), [false, false, true, false, false])
  assert.equal(sockets[2]?.reason, "400 of 900 bytes that wait are this socket's (limits.memoryBytes)")
  assert.deepEqual(overloads, [[1, 900]])
})

test('near miss: a byte less, and nobody goes', () => {
  const sockets = [new Socket(499), new Socket(400)]
  const { memory, overloads } = budgetOf(1_000, sockets)
  memory.measure()
  assert.deepEqual([goneOf(sockets), overloads], [[false, false], []])
  assert.equal(memory.isNearlyUsed, true)
})

test('one that has ended, and waits for its closing handshake, goes before the others, and is told of by nobody twice', () => {
  const sockets = [new Socket(500), new Socket(450)]
  const [, ended] = sockets
  if (ended !== undefined) ended.ended = true
  const { memory, overloads } = budgetOf(1_000, sockets)
  memory.measure()
  assert.deepEqual(goneOf(sockets), [false, true])
  assert.deepEqual([ended?.reason, overloads], ['', []])
})

// The kernel holds what it was given until the loop turns: whoever was cut is not counted, or all others would follow.
test('the memory of those that were cut is not charged to others', () => {
  const sockets = [new Socket(600), new Socket(300)]
  const { memory } = budgetOf(1_000, sockets)
  memory.measure()
  memory.measure()
  assert.deepEqual(goneOf(sockets), [true, false])
  assert.equal(memory.used, 300)
})

test('it is measured when what was kept could have used the rest, and not before', () => {
  const socket = new Socket(0)
  const { memory } = budgetOf(1_000, [socket])
  socket.inWire = 950
  memory.add(749)
  assert.equal(socket.gone, false)
  memory.add(1)
  assert.equal(socket.gone, true)
})

test('between three quarters and nine tenths it is measured each time that another thirty-second may be used', () => {
  const socket = new Socket(880)
  const { memory } = budgetOf(1_000, [socket])
  memory.add(750)
  assert.equal(memory.isNearlyUsed, true)
  socket.inWire = 950
  memory.add(31)
  assert.equal(socket.gone, false)
  memory.add(1)
  assert.equal(socket.gone, true)
})

test('nearly used: until somebody asks again, a tenth of a second later, though nobody visits the sockets any more', () => {
  const sockets = [new Socket(760)]
  const { memory, clock } = budgetOf(1_000, sockets)
  assert.equal(memory.isNearlyUsed, false)
  memory.measure()
  assert.equal(memory.isNearlyUsed, true)
  sockets.pop()
  clock.now = 99
  assert.equal(memory.isNearlyUsed, true)
  clock.now = 100
  assert.equal(memory.isNearlyUsed, false)
})

test('between two rounds nobody is asked while nothing waits, and everybody as long as something does', () => {
  let asked = 0
  const socket = new Socket(0)
  const { memory } = budgetOf(1_000, {
    [Symbol.iterator]: () => {
      asked++
      return [socket].values()
    },
  })
  memory.visit()
  assert.equal(asked, 0)
  socket.inWire = 5
  memory.add(5)
  memory.visit()
  memory.visit()
  assert.equal(asked, 2)
  socket.inWire = 0
  memory.visit()
  memory.visit()
  assert.equal(asked, 3)
})

test('what many streams share is memory once: no more waits in streams than this process has buffers', () => {
  const sockets = Array.from({ length: 10 }, () => new Socket(300))
  const shared = budgetOf(1_000, sockets, 300)
  shared.memory.measure()
  assert.equal(shared.memory.used, 300)
  assert.ok(!goneOf(sockets).includes(true))
  // Text that waits for its turn is in no buffer.
  for (const socket of sockets) socket.queued = 70
  shared.memory.measure()
  assert.ok(goneOf(sockets).includes(true))
})

test('whatever waits, after a measuring less than nine tenths do, and no smaller one went while a larger one stayed', () => {
  const some = fc.array(fc.tuple(fc.nat(500), fc.nat(500)), { maxLength: 20 })
  fc.assert(
    fc.property(some, (sizes) => {
      const sockets = sizes.map(([inWire, queued]) => new Socket(inWire, queued))
      const { memory } = budgetOf(1_000, sockets)
      memory.measure()
      assert.ok(memory.used < 900)
      const size = ({ inWire, queued }: Socket) => inWire + queued
      const stayed = sockets.filter(({ gone }) => !gone).map(size)
      const went = sockets.filter(({ gone }) => gone).map(size)
      assert.ok(Math.max(0, ...stayed) <= Math.min(...went, Number.POSITIVE_INFINITY))
    }),
  )
})
