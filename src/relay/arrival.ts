import type { KeyObject } from 'node:crypto'
import { openEnvelope, type RelayMessage } from './envelope.ts'
import { createReplayWindow } from './replay-window.ts'

export interface ArrivalOptions {
  readonly nodeId: string
  readonly clockSkew: number
  /** The keys that count now. */
  readonly keys: () => readonly KeyObject[] | undefined
}

export type Arrival =
  | { readonly message: RelayMessage; readonly age: number }
  | { readonly refused: string }
  | { readonly echo: true }

/**
 * What to do with a payload that came in on `topic`, subscribed for `room` (or, without one, for control messages).
 * `now` dates envelopes, and can be set; `uptime` cannot, and by it is forgotten. In this order: signed, not our own, fresh, never seen, and about this very topic.
 */
export function createArrivals({ nodeId, clockSkew, keys }: ArrivalOptions) {
  // Longer than an envelope stays fresh on both sides of now: what is forgotten here is refused as stale.
  const replays = createReplayWindow(2 * clockSkew + 1_000)

  return (topic: string, room: string | undefined, payload: string, now: number, uptime: number): Arrival => {
    const opened = openEnvelope(topic, payload, keys())
    if (typeof opened === 'string') return { refused: opened }
    if (opened.node === nodeId) return { echo: true }
    if (Math.abs(now - opened.at) > clockSkew) return { refused: 'stale' }
    if (!replays.admit(opened.node, opened.sequence, uptime)) return { refused: 'replayed' }
    const { message } = opened
    const about = message.kind === 'room' ? message.room : undefined
    return about === room ? { message, age: now - opened.at } : { refused: 'other topic' }
  }
}
