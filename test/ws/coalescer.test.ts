import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Coalescer, createTurn, mostWaiting, type Sink, type WriteCallback } from '../../src/ws/coalescer.ts'
import fc from '../harness/fast-check.ts'

/** A turn whose callbacks and whose reading end when they are told to, and a stream that remembers. */
function stage() {
  const tasks: (() => void)[] = []
  const soon: (() => void)[] = []
  const kept: number[] = []
  const turn = createTurn(
    (bytes) => kept.push(bytes),
    (task) => tasks.push(task),
    (task) => soon.push(task),
  )
  const endCallback = () => {
    for (const task of soon.splice(0)) task()
  }
  const endTurn = () => {
    endCallback()
    for (const task of tasks.splice(0)) task()
  }
  const sink = (held = 0) => {
    const writes: Buffer[] = []
    const callbacks: WriteCallback[] = []
    let corks = 0
    const stream: Sink = {
      writable: true,
      writableLength: held,
      write(piece, encoding, callback) {
        writes.push(typeof piece === 'string' ? Buffer.from(piece, encoding) : piece)
        if (callback !== undefined) callbacks.push(callback)
      },
      cork: () => corks++,
      uncork: () => corks--,
      destroy() {
        Object.assign(stream, { writable: false })
      },
    }
    return { stream, writes, callbacks, corks: () => corks }
  }
  return { turn, endCallback, endTurn, sink, tasks, kept }
}

test('sixteen frames of one turn are one write, in order', () => {
  const { turn, endTurn, sink } = stage()
  const { stream, writes } = sink()
  const coalescer = new Coalescer(stream, turn)
  for (let index = 0; index < 16; index++) {
    coalescer.push(Buffer.from([index]))
    coalescer.push(`<${index}>`)
  }
  assert.equal(writes.length, 0)
  endTurn()
  assert.equal(writes.length, 1)
  const expected = Array.from({ length: 16 }, (_, index) => `${String.fromCharCode(index)}<${index}>`).join('')
  assert.equal(String(writes[0]), expected)
  assert.equal(coalescer.bytes, 0)
})

test('the bytes are those that were pushed, whatever their kind and number', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.integer({ min: 30_000, max: 70_000 }).map((size) => 'e'.repeat(size)),
  )
  fc.assert(
    fc.property(fc.array(fc.array(piece, { minLength: 1, maxLength: 3 }), { maxLength: 20 }), (frames) => {
      const { turn, endTurn, sink } = stage()
      const { stream, writes, corks } = sink()
      const coalescer = new Coalescer(stream, turn)
      for (const piece of frames.flat()) coalescer.push(piece)
      endTurn()
      const expected = Buffer.concat(
        frames.flat().map((each) => (typeof each === 'string' ? Buffer.from(each, 'latin1') : each)),
      )
      assert.ok(Buffer.concat(writes).equals(expected))
      assert.equal(corks(), 0)
    }),
    { numRuns: 200 },
  )
})

// RS-09 from the other side: a turn that sends a megabyte is no slow reader, so it must not pile up here.
test('what is more than 64 KiB goes out before the turn has ended', () => {
  const { turn, endTurn, sink } = stage()
  const { stream, writes } = sink()
  const coalescer = new Coalescer(stream, turn)
  coalescer.push('e'.repeat(65_535))
  assert.equal(coalescer.bytes, 65_535)
  assert.equal(writes.length, 0)
  coalescer.push('e')
  assert.equal(coalescer.bytes, 0)
  assert.equal(Buffer.concat(writes).length, 65_536)
  endTurn()
  assert.equal(Buffer.concat(writes).length, 65_536)
})

test('what waits is counted in bytes: one for each unit of a string', () => {
  const { turn, sink } = stage()
  const coalescer = new Coalescer(sink().stream, turn)
  coalescer.push(Buffer.alloc(2))
  coalescer.push('\x81\x02ab')
  assert.equal(coalescer.bytes, 6)
})

test('members that get the same frames share the joined bytes, and the one that got another does not', () => {
  const { turn, endTurn, sink, tasks } = stage()
  const [a, b, c] = [sink(), sink(), sink()]
  const [one, two, other] = [Buffer.from('one'), Buffer.from('two'), Buffer.from('oth')]
  for (const { stream } of [a, b]) {
    const coalescer = new Coalescer(stream, turn)
    coalescer.push(one)
    coalescer.push(two)
  }
  const third = new Coalescer(c.stream, turn)
  third.push(one)
  third.push(other)
  assert.equal(tasks.length, 1)
  endTurn()
  assert.equal(a.writes[0], b.writes[0])
  assert.equal(String(a.writes[0]), 'onetwo')
  assert.equal(String(c.writes[0]), 'oneoth')
})

test('equal text of two sockets is not taken for the same frame', () => {
  const { turn, endTurn, sink } = stage()
  const [a, b] = [sink(), sink()]
  const ofA = new Coalescer(a.stream, turn)
  ofA.push(Buffer.from([0x81, 1]))
  ofA.push('a')
  const ofB = new Coalescer(b.stream, turn)
  ofB.push(Buffer.from([0x81, 1]))
  ofB.push('b')
  endTurn()
  assert.deepEqual([...(a.writes[0] ?? [])], [0x81, 1, 0x61])
  assert.deepEqual([...(b.writes[0] ?? [])], [0x81, 1, 0x62])
})

test('every callback learns how the one write went', () => {
  const { turn, endTurn, sink } = stage()
  const { stream, callbacks } = sink()
  const coalescer = new Coalescer(stream, turn)
  const heard: unknown[] = []
  coalescer.push('a', (error) => heard.push(['a', error]))
  coalescer.push('b')
  coalescer.push('c', (error) => heard.push(['c', error]))
  endTurn()
  assert.deepEqual(heard, [])
  const error = new Error('reset')
  for (const callback of callbacks) callback(error)
  assert.deepEqual(heard, [
    ['a', error],
    ['c', error],
  ])
})

// A write to a stream that has ended makes it emit an error; the peer may leave in the middle of a turn.
test('nothing is written to a stream that has ended meanwhile, and who waits is told', () => {
  const { turn, endTurn, sink } = stage()
  const { stream, writes } = sink()
  const ended = { ...stream, writable: false }
  const heard: unknown[] = []
  new Coalescer(ended, turn).push('late', (error) => heard.push(error))
  endTurn()
  assert.equal(writes.length, 0)
  assert.ok(heard[0] instanceof Error)
})

test('what several sockets are sent in several callbacks leaves behind all that was read, in one task', () => {
  const { turn, endCallback, endTurn, sink, tasks } = stage()
  const [a, b] = [sink(), sink()]
  const [ofA, ofB] = [new Coalescer(a.stream, turn), new Coalescer(b.stream, turn)]
  ofA.push('a')
  endCallback()
  ofB.push('b')
  endCallback()
  ofA.push('c')
  endCallback()
  assert.deepEqual([a.writes.length, b.writes.length, tasks.length], [0, 0, 1])
  endTurn()
  assert.deepEqual([a.writes.map(String), b.writes.map(String)], [['ac'], ['b']])
  assert.equal(tasks.length, 0)
  ofB.push('d')
  endTurn()
  assert.deepEqual(b.writes.map(String), ['b', 'd'])
})

// An attacker opens sockets to have the answers of others wait: behind a crowd they wait for one callback, and not for the crowd.
test('in a crowd nobody waits for more than the callback that runs', () => {
  const { turn, endCallback, endTurn, sink } = stage()
  const sinks = Array.from({ length: 3 * mostWaiting }, () => sink())
  const written = () => sinks.filter(({ writes }) => writes.length > 0).length
  let pushed = 0
  const push = (count: number) => {
    for (const { stream } of sinks.slice(pushed, pushed + count)) new Coalescer(stream, turn).push('a')
    pushed += count
  }
  push(mostWaiting - 1)
  endCallback()
  assert.equal(written(), 0, 'its near miss')
  push(2)
  assert.equal(written(), 0)
  endCallback()
  assert.equal(written(), pushed)
  push(mostWaiting)
  endCallback()
  assert.equal(written(), pushed)
  push(1)
  endCallback()
  assert.equal(written(), pushed - 1)
  endTurn()
  assert.equal(written(), pushed)
})

// An exception in the flush of one socket left every socket behind it in that turn mute, and ended the process after them.
test('a stream that throws is destroyed and heard of, whenever it does, and the others are written all the same', () => {
  for (const size of [1, 70_000]) {
    const { turn, endTurn, sink } = stage()
    const [broken, whole] = [sink(), sink()]
    let fails = true
    const write = broken.stream.write
    Object.assign(broken.stream, {
      write(...given: Parameters<Sink['write']>) {
        if (fails) throw new Error('of this stream')
        return write(...given)
      },
    })
    const heard: unknown[] = []
    class Told extends Coalescer {
      protected override broke(error: unknown): void {
        heard.push(error)
        // As an error message to the client would be.
        this.push('too late')
      }
    }
    const first = new Told(broken.stream, turn)
    const behind = new Coalescer(whole.stream, turn)
    first.push(Buffer.alloc(size), (error) => heard.push(error?.message))
    behind.push(Buffer.from('b'))
    endTurn()
    assert.deepEqual(heard.map(String), ['The stream has failed.', 'Error: of this stream'])
    assert.deepEqual(whole.writes.map(String), ['b'])
    fails = false
    first.push('c')
    behind.push('c')
    endTurn()
    assert.deepEqual([broken.writes.length, whole.writes.map(String)], [0, ['b', 'c']])
  }
})

// What the kernel takes at once, which is nearly everything, is counted by nobody.
test('bytes that the stream had to keep are told of once for each write, however many pieces they were', () => {
  const { turn, endTurn, sink, kept } = stage()
  const [free, behind] = [new Coalescer(sink().stream, turn), new Coalescer(sink(1).stream, turn)]
  for (const coalescer of [free, behind]) for (const text of ['abc', 'de']) coalescer.push(text)
  assert.deepEqual(kept, [])
  endTurn()
  assert.deepEqual(kept, [5])
  behind.push(Buffer.alloc(100_000))
  assert.deepEqual(kept, [5, 100_000])
})
