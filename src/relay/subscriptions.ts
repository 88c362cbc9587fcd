import { answered } from './answered.ts'
import type { Bus } from './bus.ts'

export interface SubscriptionsOptions {
  readonly bus: Bus
  readonly receive: (room: string | undefined, topic: string, payload: string) => void
  readonly onFailure: (error: unknown) => void
}

/** Which topics this node wants, and bringing the bus there: one change at a time per topic, the latest wish wins. */
export interface Subscriptions {
  want(topic: string, room: string | undefined): void
  unwant(topic: string): void
  /** True while the bus has this topic for us. */
  has(topic: string): boolean
  /** Resolves when the topic is as wanted; rejects when the bus would not. */
  settle(topic: string): Promise<void>
  /** Tries again whatever failed. */
  settleAll(): void
  close(): Promise<void>
}

interface Topic {
  readonly room: string | undefined
  wanted: boolean
  stop: (() => Promise<void>) | undefined
  settling: Promise<void> | undefined
}

export function createSubscriptions({ bus, receive, onFailure }: SubscriptionsOptions): Subscriptions {
  const topics = new Map<string, Topic>()

  const change = async (name: string, topic: Topic): Promise<void> => {
    // At the end of the turn: a room that is joined and left within one message costs the bus nothing.
    await undefined
    // It may be joined and left many times while one subscribe is under way; only where it ends up matters.
    while (topic.wanted !== (topic.stop !== undefined)) {
      if (topic.wanted) {
        const subscribing = bus.subscribe(name, (payload) => {
          if (topic.wanted) receive(topic.room, name, payload)
        })
        topic.stop = await answered(() => subscribing).catch((error: unknown) => {
          // It may still come, and would be nobody's.
          subscribing.then((stop) => stop()).catch(() => {})
          throw error
        })
      } else {
        const stop = topic.stop
        topic.stop = undefined
        if (stop !== undefined) await answered(stop)
      }
    }
  }

  const settle = (name: string): Promise<void> => {
    const topic = topics.get(name)
    if (topic === undefined) return Promise.resolve()
    topic.settling ??= change(name, topic).finally(() => {
      topic.settling = undefined
      if (!topic.wanted && topic.stop === undefined) topics.delete(name)
    })
    return topic.settling
  }

  const settleSoon = (name: string): void => {
    settle(name).catch(onFailure)
  }

  return {
    want(name, room) {
      const topic = topics.get(name) ?? { room, wanted: true, stop: undefined, settling: undefined }
      topic.wanted = true
      topics.set(name, topic)
      if (room !== undefined) settleSoon(name)
    },
    unwant(name) {
      const topic = topics.get(name)
      if (topic === undefined) return
      topic.wanted = false
      settleSoon(name)
    },
    has: (name) => topics.get(name)?.stop !== undefined,
    settle,
    settleAll() {
      for (const [name, topic] of topics) if (topic.wanted !== (topic.stop !== undefined)) settleSoon(name)
    },
    async close() {
      for (const topic of topics.values()) topic.wanted = false
      await Promise.allSettled([...topics.keys()].map(settle))
    },
  }
}
