import type { PresenceStore } from '../relay/presence.ts'
import type { RedisCommands } from './commands.ts'
import { redisLeases } from './leases.ts'

export function redisPresence(commands: RedisCommands, channel: string): PresenceStore {
  const leases = redisLeases(commands, `${channel}:presence`)
  return {
    enter: (room, member, ttlMs) => leases.keep([{ key: room, holder: member }], ttlMs),
    renew: (claims, ttlMs) => leases.keep(claims, ttlMs),
    leave: (room, member) => leases.free(room, member),
    members: (room) => leases.holders(room),
  }
}
