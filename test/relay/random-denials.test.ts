import assert from 'node:assert/strict'
import { test } from 'node:test'
import { denialOf } from '../../src/session/denials.ts'
import { Random } from '../harness/random.ts'
import { skew, startDenialWorld, type WorldNode } from './denial-world.ts'

/** Seeds: few here, more with `SEEDS=200 node --test test/relay/random-denials.test.ts`. */
const seeds = Number(process.env.SEEDS ?? 8)

interface Made {
  readonly name: string
  readonly at: number
  readonly until: number
  readonly by: WorldNode
  /** Whether the others must know it, too: while stores and connections fail, they cannot. */
  settled: boolean
}

// Classes S3, S5, S6, S7: stores that reject, stay silent, answer late, or carry out and are not heard; clocks apart; a store
// that is emptied or has lost a part; nodes that are cut off, or start in the middle of it.
test('at random: what was denied is denied for as long as it says, on every node that admits anybody', async (t) => {
  const world = startDenialWorld(t)
  for (let seed = 1; seed <= seeds; seed++) {
    const random = new Random(seed)
    const nodes: WorldNode[] = []
    const join = async () => {
      // No two clocks differ by more than the bus says they may.
      const node = world.node(random.below(skew) - skew / 2)
      nodes.push(node)
      const starting = node.relay.start()
      await world.pass(200)
      return starting
    }
    await Promise.all([join(), join(), join()])
    await world.pass(1_000)
    const made: Made[] = []

    const check = (when: string) => {
      for (const { name, at, until, by, settled } of made) {
        for (const node of nodes) {
          const known = node.relay.findDenial({ sessionId: name })
          // Its maker knows before the call has returned, ready or not.
          const must = until > node.now() && (node === by || (settled && node.relay.ready))
          if (must) assert.ok(known, `${when}: ${name} of ${at} is unknown, seed ${seed}`)
          if (until <= node.now()) assert.equal(known, undefined, `${when}: ${name} should be over, seed ${seed}`)
        }
      }
      for (const node of nodes) assert.equal(node.relay.findDenial({ sessionId: 'nobody' }), undefined)
    }

    for (let step = 0; step < 40; step++) {
      const node = random.pick(nodes)
      const dice = random.below(20)
      if (dice < 8) {
        const name = `${seed} s${random.below(1_000_000)}`
        const at = node.now()
        const until = at + random.pick([2_000, 30_000, 3_600_000, 30 * 86_400_000])
        made.push({ name, at, until, by: node, settled: false })
        void node.relay.deny(denialOf('session', name, at, until))
        check('before the call returns')
      } else if (dice < 12) node.way = random.pick(['up', 'rejects', 'silent', 'deaf', 'late'] as const)
      else if (dice < 13) world.empty()
      else if (dice < 14) world.forget(random, 0.3)
      else if (dice < 15) node.cut()
      else if (dice < 17) node.mend()
      else if (dice < 18 && nodes.length < 5) await join()
      await world.pass(100 * random.below(20))
      check('in the middle of it')
    }
    // All is well again: within a minute everybody knows everything, whatever was lost meanwhile.
    for (const node of nodes) {
      node.way = 'up'
      node.mend()
    }
    await world.pass(60_000)
    for (const one of made) one.settled = true
    // Somebody who was not there, and can only read what is stored.
    await join()
    await world.pass(1_000)
    for (const { relay } of nodes) assert.ok(relay.ready, `seed ${seed}`)
    check('at the end')
    const closing = Promise.all(nodes.map(({ relay }) => relay.close()))
    await world.pass(7_000)
    await closing
  }
})

// Class S5: a store of somebody's own that never answers. `revoke` says so, and the node admits nobody by what it knew.
test('a store that stays silent is a store that is away: nothing is said to be kept, and nobody is admitted', async (t) => {
  const world = startDenialWorld(t)
  const [node, other] = [world.node(0), world.node(0)]
  const started = Promise.all([node.relay.start(), other.relay.start()])
  await world.pass(500)
  await started
  assert.equal(node.relay.ready, true)
  node.way = 'silent'
  const denying = node.relay.deny(denialOf('session', 's', world.now(), world.now() + 86_400_000))
  await world.pass(6_000)
  assert.equal(await denying, false)
  await world.pass(20_000)
  assert.equal(node.relay.ready, false)
  assert.equal(other.relay.ready, true)
  node.way = 'up'
  await world.pass(20_000)
  assert.equal(node.relay.ready, true)
  const late = world.node(0)
  const joining = late.relay.start()
  await world.pass(500)
  await joining
  assert.ok(late.relay.findDenial({ sessionId: 's' }), 'it was put there when the store answered')
  const closing = Promise.all([node, other, late].map(({ relay }) => relay.close()))
  await world.pass(7_000)
  await closing
})
