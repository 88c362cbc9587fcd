import type { TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Bus, BusState } from '../../src/relay/bus.ts'
import { memoryLeases } from '../../src/relay/memory-leases.ts'
import { memoryRates } from '../../src/relay/memory-rates.ts'
import { createRelay, type Relay } from '../../src/relay/relay.ts'
import { createDenialLedger } from '../../src/session/denial-ledger.ts'
import type { Denial, DenialPage, DenialStore } from '../../src/session/denials.ts'
import type { Random } from '../harness/random.ts'

/**
 * Nodes with clocks of their own, over one bus that loses what it likes and one store that can be emptied, or of which a
 * part is lost. Nothing here takes real time: `pass` moves every clock.
 */
export interface DenialWorld {
  node(clockAhead: number): WorldNode
  pass(ms: number): Promise<void>
  /** Everything is lost. */
  empty(): void
  /** Each denial is lost with this chance, and nobody is told. */
  forget(random: Random, chance: number): void
  /** The clock of the store. */
  now(): number
}

export interface WorldNode {
  readonly relay: Relay
  readonly failures: string[]
  /** `deaf`: carried out, but the answer is lost. `silent`: no answer ever. */
  way: 'up' | 'rejects' | 'silent' | 'deaf' | 'late'
  now(): number
  /** The connection is lost: whoever is subscribed hears nothing meanwhile. */
  cut(): void
  mend(): void
}

export const skew = 5_000
const start = 1_000_000_000_000

/** As Redis does it: an epoch, a number for each change, count and digest of the whole. */
function numberedStore(now: () => number, epoch: number, known: readonly Denial[] = []) {
  const ledger = createDenialLedger(0)
  const log: Denial[] = []
  const put = (denials: readonly Denial[]) => {
    for (const denial of denials) if (ledger.put(denial, now())) log.push(denial)
  }
  put(known)
  const store: DenialStore = {
    deny: async (...denials) => put(denials),
    async since(cursor): Promise<DenialPage> {
      const [asked, position] = cursor?.split(' ').map(Number) ?? []
      const reset = asked !== undefined && (asked !== epoch || (position ?? 0) > log.length)
      const from = asked === undefined || reset ? 0 : (position ?? 0)
      const next = Math.min(log.length, from + 3)
      const time = now()
      const kept = { ...ledger.kept(time, time), asOf: time }
      const denials = reset ? [] : log.slice(from, next).filter(({ until }) => until > time)
      return {
        denials,
        cursor: `${epoch} ${next}`,
        more: next < log.length,
        reset,
        ...(next >= log.length && { kept }),
      }
    },
  }
  return { store, all: () => ledger.all(now()) }
}

export function startDenialWorld(t: TestContext): DenialWorld {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = start
  let epoch = 1
  let kept = numberedStore(() => now, epoch)
  const subscribers = new Set<{ topic: string; node: WorldNode; deliver: (payload: string) => void }>()
  const down = new Set<WorldNode>()

  async function asked<T>(node: WorldNode, work: () => Promise<T>): Promise<T> {
    await turn()
    if (down.has(node) || node.way === 'rejects') throw new Error('away')
    if (node.way === 'silent') return new Promise<never>(() => {})
    if (node.way === 'late') await new Promise((resolve) => setTimeout(resolve, 700))
    const answer = await work()
    if (node.way === 'deaf') throw new Error('the answer was lost')
    return answer
  }

  function node(clockAhead: number): WorldNode {
    const listeners = new Set<(state: BusState) => void>()
    const failures: string[] = []
    const bus: Bus = {
      name: 'world',
      dangerouslyUnsigned: true,
      clockSkew: skew,
      stores: {
        denials: {
          deny: (...denials) => asked(made, () => kept.store.deny(...denials)),
          since: (cursor) => asked(made, () => kept.store.since(cursor)),
        },
        leases: memoryLeases(),
        rates: memoryRates(),
      },
      get state() {
        return down.has(made) ? 'down' : 'up'
      },
      onState(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      async subscribe(topic, deliver) {
        if (down.has(made)) throw new Error('away')
        const one = { topic, node: made, deliver }
        subscribers.add(one)
        return async () => void subscribers.delete(one)
      },
      async publish(topic, payload) {
        if (down.has(made) || made.way === 'rejects') throw new Error('away')
        queueMicrotask(() => {
          for (const one of subscribers) if (one.topic === topic && !down.has(one.node)) one.deliver(payload)
        })
      },
      async close() {},
    }
    const set = (state: BusState) => {
      if (state === 'down') down.add(made)
      else down.delete(made)
      for (const listener of listeners) listener(state)
    }
    const made: WorldNode = {
      failures,
      way: 'up',
      now: () => now + clockAhead,
      cut: () => set('down'),
      mend: () => set('up'),
      relay: createRelay({
        bus,
        now: () => now + clockAhead,
        onMessage() {},
        onRefused: (reason) => failures.push(reason),
        onFailure: (stage) => failures.push(stage),
      }),
    }
    return made
  }

  return {
    node,
    now: () => now,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 100) {
        now += 100
        t.mock.timers.tick(100)
        for (let turns = 0; turns < 4; turns++) await turn()
      }
    },
    empty() {
      kept = numberedStore(() => now, ++epoch)
    },
    forget(random, chance) {
      kept = numberedStore(
        () => now,
        epoch,
        kept.all().filter(() => !random.chance(chance)),
      )
    },
  }
}
