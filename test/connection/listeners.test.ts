import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { Dispatch, type Outcome } from '../../src/connection/dispatch.ts'
import { emitContained } from '../../src/connection/listeners.ts'
import { isThenable } from '../../src/thenable.ts'

/** What the listeners of an event answer, as the socket hears it. */
function callListeners(emitter: EventEmitter, event: string, isOver = () => false): Outcome | Promise<Outcome> {
  const socket = {
    get ended() {
      return isOver()
    },
    fault: assert.fail,
  }
  return new Dispatch(1_000).call(emitter, event, [], socket)
}

test('listeners are called in order, and the last answer counts', async () => {
  const emitter = new EventEmitter()
  const order: string[] = []
  emitter.on('x', () => order.push('first') && 'one')
  emitter.once('x', () => order.push('second') && 'two')
  assert.deepEqual(callListeners(emitter, 'x'), { kind: 'returned', value: 'two' })
  assert.deepEqual(callListeners(emitter, 'x'), { kind: 'returned', value: 'one' })
  assert.deepEqual(callListeners(emitter, 'nobody'), { kind: 'unheard' })
  assert.deepEqual(order, ['first', 'second', 'first'])
})

test('MS-14 an async listener is waited for, and its rejection comes to the caller', async () => {
  const emitter = new EventEmitter()
  const order: string[] = []
  emitter.on('x', async () => {
    await new Promise(setImmediate)
    order.push('first')
  })
  emitter.on('x', () => {
    order.push('second')
    throw new Error('mine')
  })
  assert.deepEqual(await callListeners(emitter, 'x'), { kind: 'threw', error: new Error('mine') })
  assert.deepEqual(order, ['first', 'second'])
})

test('SE-05 once it is over no further listener is called, between sync ones and behind async ones', async () => {
  for (const wait of [false, true]) {
    const emitter = new EventEmitter()
    let over = false
    let second = 0
    emitter.on('x', () => {
      over = true
      return wait ? Promise.resolve() : undefined
    })
    emitter.on('x', () => second++)
    await callListeners(emitter, 'x', () => over)
    assert.equal(second, 0)
  }
})

test('MS-15 one listener that fails does not keep the others from being called', async () => {
  const emitter = new EventEmitter()
  const faults: unknown[] = []
  let called = 0
  emitter.on('close', () => {
    throw null
  })
  emitter.on('close', () => Promise.reject(new Error('late')))
  emitter.on('close', () => called++)
  assert.equal(
    emitContained(emitter, 'close', [], (error) => faults.push(error)),
    true,
  )
  assert.equal(
    emitContained(emitter, 'nobody', [], () => assert.fail('called')),
    false,
  )
  await new Promise(setImmediate)
  assert.equal(called, 1)
  assert.equal(faults.length, 2)
  assert.equal(faults[0], null)
})

test('only what has a then() is waited for', () => {
  for (const value of [undefined, null, 1, 'then', {}, []]) assert.equal(isThenable(value), false)
  assert.equal(isThenable(Promise.resolve()), true)
})
