import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairQueue } from '../../src/sanitizing/fair-queue.ts'

const share = { documents: 3, milliseconds: 100, perSecond: 10 }

/** A queue whose clock is set by hand. */
function queueAt() {
  const clock = { now: 0 }
  const queue = new FairQueue<{ sender: string | undefined; length: number; name: string }>(share, () => clock.now)
  const push = (sender: string | undefined, ...names: string[]) => {
    for (const name of names) queue.push({ sender, length: 1, name })
  }
  const pushLong = (sender: string, length: number, name: string) => queue.push({ sender, length, name })
  const take = () => {
    const item = queue.shift()
    return item
  }
  const drain = () => {
    const order: string[] = []
    for (let item = take(); item !== undefined; item = take()) {
      order.push(item.name)
      queue.settled(item, 0)
    }
    return order.join(' ')
  }
  return { clock, queue, push, pushLong, take, drain }
}

test('senders take turns, however much one of them has sent', () => {
  const { push, drain, queue } = queueAt()
  push('mallory', 'm1', 'm2', 'm3', 'm4')
  push('ada', 'a1')
  push('grace', 'g1', 'g2')
  assert.equal(queue.length, 7)
  assert.equal(drain(), 'm1 a1 g1 m2 g2 m3 m4')
  assert.equal(queue.length, 0)
})

test('whoever has used less time comes first', () => {
  const { push, drain, queue, take } = queueAt()
  push('mallory', 'm1')
  queue.settled(take() ?? assert.fail(), 80)
  push('mallory', 'm2', 'm3')
  push('ada', 'a1', 'a2')
  assert.equal(queue.peek()?.name, 'a1')
  assert.equal(drain(), 'a1 a2 m2 m3')
})

// Five sessions that nobody knows yet, each with a document of a tenth of a second: half a second in front of everybody.
test('a long document counts as what it will use', () => {
  const { push, pushLong, drain, queue, take } = queueAt()
  push('ada', 'a1')
  queue.settled(take() ?? assert.fail(), 5)
  pushLong('mallory', 2_000, 'm1')
  pushLong('trudy', 1_000, 't1')
  push('ada', 'a2', 'a3')
  assert.equal(drain(), 't1 a2 a3 m1')
})

test('whoever asks for short documents gets the next short one of each sender', () => {
  const { push, pushLong, queue, drain } = queueAt()
  pushLong('mallory', 11, 'm1')
  push('mallory', 'm2')
  pushLong('ada', 12, 'a1')
  assert.equal(queue.peek(10)?.name, 'm2')
  const taken = queue.shift(10) ?? assert.fail()
  assert.equal(taken.name, 'm2')
  queue.settled(taken, 0)
  assert.equal(queue.peek(10), undefined)
  assert.equal(queue.shift(10), undefined)
  assert.equal(queue.peek(11)?.name, 'm1')
  assert.equal(queue.length, 2)
  assert.equal(drain(), 'm1 a1')
})

test('a sender has a bound of documents, those that are being cleaned included', () => {
  const { push, queue, take } = queueAt()
  push('mallory', 'm1', 'm2')
  assert.equal(queue.obstacle('mallory'), undefined)
  push('mallory', 'm3')
  assert.equal(queue.obstacle('mallory'), 'more than 3 documents of one sender at once')
  const taken = take() ?? assert.fail()
  assert.match(queue.obstacle('mallory') ?? '', /more than 3/)
  assert.equal(queue.obstacle('ada'), undefined)
  queue.settled(taken, 1)
  assert.equal(queue.obstacle('mallory'), undefined)
})

test('a sender has a bound of time, which is given back slowly', () => {
  const { push, queue, take, clock } = queueAt()
  push('mallory', 'm1')
  queue.settled(take() ?? assert.fail(), 101)
  assert.equal(queue.obstacle('mallory'), 'its sender has used up their share of time')
  clock.now = 50
  assert.match(queue.obstacle('mallory') ?? '', /share of time/)
  clock.now = 101
  assert.equal(queue.obstacle('mallory'), undefined)
  // Not all of it: what remains is spent again at once.
  push('mallory', 'm2')
  queue.settled(take() ?? assert.fail(), 1)
  assert.match(queue.obstacle('mallory') ?? '', /share of time/)
})

test('the application itself has no bound, and its turn like everybody', () => {
  const { push, queue, drain, take } = queueAt()
  push(undefined, 'x0')
  queue.settled(take() ?? assert.fail(), 10_000)
  push(undefined, 'x1', 'x2', 'x3', 'x4')
  assert.equal(queue.obstacle(undefined), undefined)
  push('ada', 'a1')
  assert.equal(drain(), 'a1 x1 x2 x3 x4')
})

test('what was taken and not looked at goes back to the front', () => {
  const { push, queue, drain, take } = queueAt()
  push('ada', 'a1', 'a2', 'a3')
  const first = take() ?? assert.fail()
  const second = take() ?? assert.fail()
  queue.unshift(second)
  queue.unshift(first)
  assert.equal(queue.length, 3)
  assert.equal(drain(), 'a1 a2 a3')
})

test('senders who have gone are forgotten', () => {
  const { push, queue, drain, clock } = queueAt()
  for (let n = 0; n < 5_000; n++) {
    push(`session ${n}`, 'x')
    drain()
    clock.now += 1
  }
  assert.ok(queue.accounts <= 1_024, String(queue.accounts))
})

test('everything that waits can be taken out', () => {
  const { push, queue, drain } = queueAt()
  push('ada', 'a1')
  push('grace', 'g1')
  assert.deepEqual(
    queue.clear().map(({ name }) => name),
    ['a1', 'g1'],
  )
  assert.equal(queue.length, 0)
  assert.equal(drain(), '')
})
