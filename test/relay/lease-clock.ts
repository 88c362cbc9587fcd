import type { TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createHoldings, type Holdings } from '../../src/relay/holdings.ts'
import { memoryLeases } from '../../src/relay/memory-leases.ts'
import type { LeaseStore } from '../../src/relay/stores.ts'

/** One store of leases and the nodes on it, with a clock of their own: nothing here depends on how fast the machine is. */
export interface LeaseClock {
  /** What the store says, whoever is away from it. */
  readonly store: LeaseStore
  /** Everything is lost, as when Redis comes back empty. */
  empty(): void
  node(): LeaseNode
  /** Lets time pass: every node beats when it is due. */
  pass(ms: number): Promise<void>
  /** Lets time pass in which no node runs: the machine slept, or the process was stopped. */
  sleep(ms: number): void
}

export interface LeaseNode extends Holdings {
  readonly failures: unknown[]
  /** The calls since it was read last. */
  calls(): readonly string[]
  /** `away`: nothing is carried out. `deaf`: everything is, and nobody hears of it. `dead`: the node never asks again. */
  way: 'up' | 'away' | 'deaf' | 'dead'
}

const ttl = 30_000

export function startLeaseClock(t: TestContext): LeaseClock {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = 0
  let inner = memoryLeases(() => now)
  const store: LeaseStore = {
    keep: (...given) => inner.keep(...given),
    take: (...given) => inner.take(...given),
    free: (...given) => inner.free(...given),
    holders: (...given) => inner.holders(...given),
  }

  function node(): LeaseNode {
    const calls: string[] = []
    const failures: unknown[] = []
    async function asked<T>(name: string, work: () => Promise<T>): Promise<T> {
      if (made.way !== 'dead') calls.push(name)
      await turn()
      if (made.way === 'away' || made.way === 'dead') throw new Error('away')
      const answer = await work()
      if (made.way === 'deaf') throw new Error('no answer in time')
      return answer
    }
    const holdings = createHoldings({
      ttl,
      uptime: () => now,
      onFailure: (error) => failures.push(error),
      store: {
        keep: (...given) => asked(given[1] > 0 ? 'keep' : 'end', () => store.keep(...given)),
        take: (...given) => asked('take', () => store.take(...given)),
        free: (...given) => asked('free', () => store.free(...given)),
        holders: (...given) => asked('holders', () => store.holders(...given)),
      },
    })
    const made: LeaseNode = { ...holdings, failures, way: 'up', calls: () => calls.splice(0) }
    return made
  }

  return {
    store,
    node,
    empty() {
      inner = memoryLeases(() => now)
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 1_000) {
        now += 1_000
        t.mock.timers.tick(1_000)
        await settled()
      }
    },
    sleep(ms) {
      now += ms
    },
  }
}

/** Enough turns for what is under way; a thousand places take five writes of 256 at once. */
export async function settled(turns = 12): Promise<void> {
  for (let count = 0; count < turns; count++) await turn()
}
