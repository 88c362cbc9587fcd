import type { KeyObject } from 'node:crypto'
import { openEnvelope, type RelayMessage } from './envelope.ts'
import type { OwnWords } from './own-words.ts'
import { createReplayWindow } from './replay-window.ts'

export interface ArrivalOptions {
  readonly own: Pick<OwnWords, 'speaker'>
  readonly clockSkew: number
  /** The keys that count now. */
  readonly keys: () => readonly KeyObject[] | undefined
}

export type Arrival =
  | {
      readonly message: RelayMessage
      readonly age: number
      /** A copy of this process sent it, under the name of both. */
      readonly isTwin: boolean
      /** Its number was heard before. */
      readonly isRepeated: boolean
    }
  | { readonly refused: string }
  | { readonly echo: true }

/**
 * What to do with a payload that came in on `topic`, subscribed for `room` (or, without one, for control messages).
 * `now` dates envelopes, and can be set; `uptime` cannot, and by it is forgotten. In this order: signed, not our own, fresh, about this very topic, and never seen.
 *
 * An end of sessions is heard although its number was: repeated it says nothing new, and where two copies of one process speak
 * under one name, each with the numbers of the other, none of theirs must be missed.
 */
export function createArrivals({ own, clockSkew, keys }: ArrivalOptions) {
  // Longer than an envelope stays fresh on both sides of now: what is forgotten here is refused as stale.
  const replays = createReplayWindow(2 * clockSkew + 1_000)

  return (topic: string, room: string | undefined, payload: string, now: number, uptime: number): Arrival => {
    const opened = openEnvelope(topic, payload, keys())
    if (typeof opened === 'string') return { refused: opened }
    const speaker = own.speaker(opened, payload)
    if (speaker === 'own') return { echo: true }
    if (Math.abs(now - opened.at) > clockSkew) return { refused: 'stale' }
    const { message } = opened
    if ((message.kind === 'room' ? message.room : undefined) !== room) return { refused: 'other topic' }
    const isRepeated = !replays.admit(opened.node, opened.sequence, uptime)
    if (isRepeated && !(message.kind === 'identity' && message.verb === 'close')) return { refused: 'replayed' }
    return { message, age: now - opened.at, isTwin: speaker === 'twin', isRepeated }
  }
}
