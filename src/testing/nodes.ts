import type { FastifyInstance } from 'fastify'
import { type Bus, type BusState, memoryBus, type SharedStores } from '../index.ts'

/** A node of `startNodes`. */
export interface TestNode {
  /** The application that `build` returned, ready. */
  readonly app: FastifyInstance
  /** Cuts this node off from the others: it publishes nothing, hears nothing, and reads no store. */
  cut(): void
  /** Connects it again, as after an outage: what was said meanwhile is lost, what is stored is read. */
  mend(): void
}

/** The nodes of `startNodes`: a list. */
export type TestNodes = readonly [TestNode, TestNode, ...TestNode[]] & TestNetwork

/** The network of `startNodes`. */
export interface TestNetwork extends AsyncDisposable {
  /** Closes all nodes. The same as `await using`. */
  close(): Promise<void>
}

/**
 * Builds your application several times in this process, as nodes that hear each other over a bus in memory: a revocation, a room and
 * `allSockets` go over all of them.
 *
 *     await using nodes = await startNodes((bus) => build({ bus }))
 *     const [one, other] = nodes
 *
 * @param build hands `bus` to the plugin: `app.register(secureWs, { bus, ... })`
 * @param count of nodes: 2 or more; default 2
 */
export async function startNodes(
  build: (bus: Bus, number: number) => FastifyInstance | PromiseLike<FastifyInstance>,
  count = 2,
): Promise<TestNodes> {
  if (!(count >= 2))
    throw new RangeError(`startNodes: \`count\` is ${count}. Write 2 or more: one node is \`build(memoryBus())\`.`)
  const network = memoryBus()
  const nodes: TestNode[] = []
  const close = async () => {
    await Promise.all(nodes.map(({ app }) => app.close()))
    await network.close()
  }
  try {
    for (let number = 0; number < count; number++) {
      const cable = new Cable(network)
      const app = await build(cable.bus, number)
      nodes.push({ app, cut: () => cable.set('down'), mend: () => cable.set('up') })
      await app.ready()
    }
  } catch (error) {
    await close()
    throw error
  }
  return Object.assign(nodes as [TestNode, TestNode, ...TestNode[]], { close, [Symbol.asyncDispose]: close })
}

/** The way of one node to the network. */
class Cable {
  #state: BusState = 'up'
  readonly #listeners = new Set<(state: BusState) => void>()
  readonly bus: Bus

  constructor(network: Bus) {
    const cable = this
    this.bus = {
      name: network.name,
      ...(network.stores && { stores: this.#stores(network.stores) }),
      async publish(topic, payload) {
        cable.#refuseCut()
        await network.publish(topic, payload)
      },
      subscribe: (topic, deliver) => {
        return network.subscribe(topic, (payload) => {
          if (cable.#state === 'up') deliver(payload)
        })
      },
      // Whoever is on the other side of the network is nobody's business here.
      async close() {},
      get state() {
        return cable.#state
      },
      onState(listener) {
        cable.#listeners.add(listener)
        return () => void cable.#listeners.delete(listener)
      },
    }
  }

  set(state: BusState): void {
    if (state === this.#state) return
    this.#state = state
    for (const listener of [...this.#listeners]) listener(state)
  }

  #refuseCut(): void {
    if (this.#state === 'down') throw new Error('the test has cut this node off')
  }

  #stores({ denials, leases, rates }: SharedStores): SharedStores {
    return {
      denials: this.#reachable(denials),
      leases: this.#reachable(leases),
      rates: this.#reachable(rates),
    }
  }

  /** The same store, for as long as the network is there. */
  #reachable<Store extends object>(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return async (...given: unknown[]) => {
          this.#refuseCut()
          return Reflect.apply(method, target, given)
        }
      },
    })
  }
}
