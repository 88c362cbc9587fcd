import type { PresenceStore } from './presence.ts'
import type { RedisCommands } from './redis-commands.ts'
import { redisLeases } from './redis-leases.ts'

export function redisPresence(commands: RedisCommands, channel: string): PresenceStore {
  const leases = redisLeases(commands, `${channel}:presence`)
  return {
    enter: (room, member, ttlMs) => leases.keep([{ key: room, holder: member }], ttlMs),
    renew: (claims, ttlMs) => leases.keep(claims, ttlMs),
    leave: (room, member) => leases.free(room, member),
    members: (room) => leases.holders(room),
  }
}
