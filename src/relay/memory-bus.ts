import { type Bus, isTopic } from './bus.ts'
import { memoryDenials } from './memory-denials.ts'
import { memoryLeases } from './memory-leases.ts'
import { memoryRates } from './memory-rates.ts'

/**
 * A bus for one process. Applications that are given the same `memoryBus()` hear each other, which is how a test runs two nodes.
 * There is no secret: nobody but this process can publish.
 */
export function memoryBus(): Bus {
  const topics = new Map<string, Set<(payload: string) => void>>()
  return {
    name: 'memory',
    stores: { denials: memoryDenials(), leases: memoryLeases(), rates: memoryRates() },

    async subscribe(topic, deliver) {
      if (!isTopic(topic)) throw new TypeError('not a topic')
      const listeners = topics.get(topic) ?? new Set()
      topics.set(topic, listeners)
      // One entry per subscription, also when the same function subscribes twice.
      const listener = (payload: string) => deliver(payload)
      listeners.add(listener)
      return async () => {
        listeners.delete(listener)
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic)
      }
    },

    async publish(topic, payload) {
      if (!isTopic(topic)) throw new TypeError('not a topic')
      const listeners = topics.get(topic)
      if (listeners === undefined) return
      // Later, as between machines: a publisher is never re-entered by what it publishes.
      queueMicrotask(() => {
        for (const listener of [...listeners]) {
          // Unsubscribed meanwhile, by an earlier listener or in this turn: hears nothing more.
          if (!listeners.has(listener)) continue
          try {
            listener(payload)
          } catch (error) {
            queueMicrotask(() => process.emitWarning(error instanceof Error ? error : String(error)))
          }
        }
      })
    },

    audience: (topic) => topics.get(topic)?.size ?? 0,

    async close() {
      topics.clear()
    },
  }
}
