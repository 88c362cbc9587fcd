import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryBus } from '../../src/index.ts'
import { boundStores } from '../../src/relay/bounded-stores.ts'
import { createSubscriptions } from '../../src/relay/subscriptions.ts'

const silent = (): Promise<never> => new Promise(() => {})

/** The timers of a question keep no process alive. */
function awake(t: { after(end: () => void): void }): void {
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
}

// A store of somebody's own. A node that waited for it would admit by what it knew when it asked last.
test('each method of a store that says nothing is given up', async (t) => {
  awake(t)
  const { denials, leases, rates } = boundStores(
    {
      denials: { deny: silent, since: silent },
      leases: { keep: silent, take: silent, free: silent, holders: silent },
      rates: { hit: silent },
    },
    20,
  )
  const asked = [
    denials.deny(),
    denials.since(undefined),
    leases.keep('t', 1),
    leases.take({ key: 'k', holder: 'h' }, 1, 1),
    leases.free('k', 'h'),
    leases.holders('k'),
    rates.hit('k', 1, 1, 1),
  ]
  const answers = await Promise.allSettled(asked)
  assert.deepEqual(
    answers.map((answer) => (answer.status === 'rejected' ? String(answer.reason) : 'answered')),
    Array(7).fill('Error: no answer from the bus within 20 ms'),
  )
})

// Later the bus may still say that it has the topic, and every message of it would come to nobody.
test('a subscription that never comes is given up, and stopped when it comes after all', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const subscription = Promise.withResolvers<() => Promise<void>>()
  let asked = 0
  const failures: string[] = []
  const subscriptions = createSubscriptions({
    bus: {
      ...memoryBus(),
      subscribe() {
        asked++
        return subscription.promise
      },
    },
    receive: () => {},
    onFailure: (error) => failures.push(String(error)),
  })
  subscriptions.want('room:a', 'a')
  while (asked === 0) await new Promise(setImmediate)
  t.mock.timers.tick(5_000)
  while (failures.length === 0) await new Promise(setImmediate)
  assert.deepEqual(failures, ['Error: no answer from the bus within 5000 ms'])
  assert.equal(subscriptions.has('room:a'), false)
  const stopped = Promise.withResolvers<void>()
  subscription.resolve(async () => stopped.resolve())
  await stopped.promise
})
