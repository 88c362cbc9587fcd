import type { KeyObject } from 'node:crypto'
import type { SharedStores } from './stores.ts'

/**
 * How nodes talk: three methods. A driver of your own implements these and may leave out everything else.
 *
 * Delivery is at most once, in no promised order between topics, without replay. The relay on top adds signatures, refuses
 * replays, and catches up on revocations through `stores`; a driver needs to do none of that.
 *
 * A topic is ASCII: letters, digits and `: . _ ~ -`, at most 2,048 characters (`isTopic`). A driver
 * - MUST refuse (reject) any other topic, and MUST treat a topic as a literal, never as a pattern;
 * - MUST hand `deliver` the payload unchanged, on every node subscribed to exactly this topic, and MAY hand it to the publisher too;
 * - MUST NOT let a throwing `deliver` harm its connection or other subscribers;
 * - MUST NOT deliver anything more after the function that `subscribe` resolved with has resolved;
 * - MUST reject `publish` and `subscribe` when it cannot do them soon, and MUST NOT queue them without a bound;
 * - MUST, once `subscribe` resolved, keep that subscription across reconnections by itself;
 * - MUST NOT keep the process alive, or hold a socket or timer, after `close()` has resolved.
 */
export interface Bus {
  /** For events and error texts: `memory`, `redis`, or a name of your own. */
  readonly name: string
  /** Resolves when the subscription is in force, with the function that ends it. */
  subscribe(topic: string, deliver: (payload: string) => void): Promise<() => Promise<void>>
  /** Resolves when the payload has been handed over, which says nothing about who heard it. */
  publish(topic: string, payload: string): Promise<void>
  /** Gives back every connection and timer. */
  close(): Promise<void>

  /**
   * Keys that sign envelopes: the first one signs, all of them verify. Required, except of `memoryBus()`. Read each time, so a
   * getter may leave out keys whose time is over.
   */
  readonly secret?: readonly KeyObject[]
  /** Lets a bus go without `secret`: whoever can publish on it speaks in every room and ends every session. */
  readonly dangerouslyUnsigned?: boolean
  /** Most that the clocks of two nodes may differ, in ms: an envelope older (or newer) than this is refused. Default 30,000. */
  readonly clockSkew?: number
  /** How long places and presence outlive a node that was killed, in ms. Default 30,000. */
  readonly leaseTtl?: number
  /** Told `down` when the connection is lost, `up` when it and every subscription are back. Returns its own end. */
  onState?(listener: (state: BusState) => void): () => void
  /** The state now; absent: always up. */
  readonly state?: BusState
  /** Told why the connection failed, each time it does: for the log, which says it once. Returns its own end. */
  onFailure?(listener: (error: unknown) => void): () => void
  /** How many subscribers this process knows for a topic; lets the relay skip encoding what nobody would hear. */
  audience?(topic: string): number
  /** Stores that outlive a node. Absent: revocations reach only the nodes that listen at that moment. */
  readonly stores?: SharedStores
}

/** Whether the bus is there. */
export type BusState = 'up' | 'down'

/** Revocations and rights: every node listens to it for as long as it runs. */
export const controlTopic = 'control'

/**
 * The topic of a room. One-to-one for every string, lone surrogates included, so that two rooms never share a topic and
 * nothing in a name (`* ? [ ] { } : CR LF`) can widen a channel, a pattern or a cluster hash tag (BR-05).
 */
export function roomTopic(room: string): string {
  return `room:${room.replace(/[^A-Za-z0-9._-]/g, (unit) => `~${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}`
}

export function isTopic(topic: string): boolean {
  return /^[A-Za-z0-9:._~-]{1,2048}$/.test(topic)
}
