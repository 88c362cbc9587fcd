import { createSecretKey } from 'node:crypto'
import { BroadcastChannel } from 'node:worker_threads'
import type { Bus } from 'fastify-secure-ws'

/** A bus between the worker threads of one process. It has no `stores`: what a thread misses, it never learns of. */
export function threadBus(name: string, secret: Uint8Array): Bus {
  const channel = new BroadcastChannel(name)
  channel.unref()
  const topics = new Map<string, Set<(payload: string) => void>>()
  let isClosed = false

  function refuse(topic: string): void {
    if (isClosed) throw new Error('the bus is closed')
    if (!/^[A-Za-z0-9:._~-]{1,2048}$/.test(topic)) throw new TypeError('not a topic')
  }

  channel.onmessage = ({ data }: { readonly data: readonly [topic: string, payload: string] }) => {
    const [topic, payload] = data
    for (const deliver of [...(topics.get(topic) ?? [])]) {
      try {
        deliver(payload)
      } catch (error) {
        // One of several subscribers: it harms nobody else.
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }

  return {
    name: 'threads',
    secret: [createSecretKey(secret)],
    async subscribe(topic, deliver) {
      refuse(topic)
      const one = (payload: string) => deliver(payload)
      const all = topics.get(topic) ?? new Set()
      topics.set(topic, all.add(one))
      return async () => {
        all.delete(one)
        if (all.size === 0 && topics.get(topic) === all) topics.delete(topic)
      }
    },
    async publish(topic, payload) {
      refuse(topic)
      channel.postMessage([topic, payload])
    },
    async close() {
      isClosed = true
      topics.clear()
      channel.close()
    },
  }
}
