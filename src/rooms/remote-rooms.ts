import { LRUCache } from 'lru-cache'
import { SecureWsError } from '../errors.ts'
import type { Traces } from '../telemetry/traces.ts'
import { type BroadcastOptions, deliverTo, type Recipient } from './audience.ts'
import { packSend, unpackBroadcast } from './broadcast.ts'
import type { Rooms } from './rooms.ts'

export interface RemoteRoomsOptions<M extends Recipient> {
  readonly rooms: Pick<Rooms<M>, 'members'>
  /** How many hear the topic of a room in this process; `undefined` where nobody can say. */
  readonly audience: (room: string) => number | undefined
  readonly publish: (room: string, frame: string) => void
  readonly traces: Pick<Traces, 'current' | 'elsewhere'> | undefined
  /** Whose message is being dealt with, and how to go on in the name of a sender. */
  readonly senders: { current(): string | undefined; as<T>(name: string, work: () => T): T }
}

/** Rooms over the relay: what the members on other nodes get, and what the members here get from there. */
export function createRemoteRooms<M extends Recipient>(options: RemoteRoomsOptions<M>) {
  const { rooms, audience, publish, senders, traces } = options
  const seen = new LRUCache<string, true>({ max: 10_000 })

  return {
    /** For an audience: makes ready what the other nodes get, and returns the function that sends it. */
    prepare(
      names: readonly string[],
      except: readonly string[],
      message: unknown,
      sending: BroadcastOptions,
    ): (() => void) | undefined {
      const heard = names.filter((room) => (audience(room) ?? 2) > (rooms.members(room).size > 0 ? 1 : 0))
      if (heard.length === 0) return undefined
      const frame = packSend(names, except, message, sending, { sender: senders.current(), trace: traces?.current() })
      return () => {
        for (const room of heard) publish(room, frame)
      }
    },
    /** Hands a broadcast of another node to the members here. Throws for what is no broadcast. */
    hear(frame: string): void {
      const broadcast = unpackBroadcast(frame)
      if (broadcast === undefined) throw new SecureWsError('SWS_INVALID_OUTPUT', 'not a broadcast')
      if (broadcast.rooms.length > 1) {
        if (seen.has(broadcast.id)) return
        seen.set(broadcast.id, true)
      }
      const members = new Set(broadcast.rooms.flatMap((room) => [...rooms.members(room)]))
      for (const member of members) if (broadcast.except.includes(member.id)) members.delete(member)
      const { encode, latest, sender, trace, message } = broadcast
      const deliver = () => deliverTo(members, message, { ...(encode && { encode }), ...(latest && { latest }) })
      const asSender = () => (sender === undefined ? deliver() : senders.as(`elsewhere ${sender}`, deliver))
      if (trace === undefined || traces === undefined) asSender()
      else traces.elsewhere(trace, asSender)
    },
  }
}
