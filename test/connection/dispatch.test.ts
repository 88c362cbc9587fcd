import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Dispatch } from '../../src/connection/dispatch.ts'

const at = (served: number) => ({ uptime: served, served, late: false })

/** A dispatch that may wait 100 ms, and what it was told too late. */
function start() {
  const dispatch = new Dispatch(100)
  const emitter = new EventEmitter()
  const late: unknown[] = []
  const socket = { ended: false, fault: (error: unknown) => void late.push(error) }
  return { dispatch, emitter, late, call: () => dispatch.call(emitter, 'x', [], socket) }
}

test('what is returned, thrown, resolved and rejected comes out as it is, at once where it can', async () => {
  const error = new Error('mine')
  const cases: [listener: () => unknown, outcome: object, sync: boolean][] = [
    [() => 1, { kind: 'returned', value: 1 }, true],
    [() => undefined, { kind: 'returned', value: undefined }, true],
    [async () => 2, { kind: 'returned', value: 2 }, false],
    [() => Promise.reject(error), { kind: 'threw', error }, false],
    [
      () => {
        throw error
      },
      { kind: 'threw', error },
      true,
    ],
    [
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a thenable as a query builder has it, which throws.
        then() {
          throw error
        },
      }),
      { kind: 'threw', error },
      false,
    ],
    [
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: looked at by whoever asks whether it is a promise.
        get then() {
          throw error
        },
      }),
      { kind: 'threw', error },
      true,
    ],
  ]
  for (const [listener, outcome, sync] of cases) {
    const { emitter, call } = start()
    emitter.on('x', listener)
    const given = call()
    assert.equal(!(given instanceof Promise), sync)
    assert.deepEqual(await given, outcome)
  }
})

test("C8 a call that does not settle is given up on time, and whatever it does later is nobody's answer", async () => {
  const { dispatch, emitter, call, late } = start()
  const { promise, resolve } = Promise.withResolvers<string>()
  let second = 0
  emitter.on('x', () => promise)
  emitter.on('x', () => second++)
  const outcome = call()
  dispatch.sweep(at(50))
  dispatch.sweep(at(149))
  assert.equal(await Promise.race([outcome, wait(5, 'nothing yet')]), 'nothing yet')
  dispatch.sweep(at(150))
  assert.deepEqual(await outcome, { kind: 'silent' })
  resolve('late')
  await new Promise(setImmediate)
  assert.deepEqual([second, late], [0, []])
})

test('what an abandoned call throws is still told, and harms no call that came after it', async () => {
  const { dispatch, emitter, call, late } = start()
  const calls = [Promise.withResolvers<string>(), Promise.withResolvers<string>()] as const
  let number = 0
  emitter.on('x', () => calls[number++]?.promise)
  const first = call()
  dispatch.sweep(at(0))
  dispatch.sweep(at(100))
  assert.deepEqual(await first, { kind: 'silent' })
  const second = call()
  dispatch.sweep(at(150))
  calls[0].reject(new Error('too late'))
  await new Promise(setImmediate)
  assert.match(String(late), /too late/)
  dispatch.sweep(at(249))
  calls[1].resolve('in time')
  assert.deepEqual(await second, { kind: 'returned', value: 'in time' })
})
