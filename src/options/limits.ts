import type { CapacityLimits } from '../capacity/capacity.ts'
import type { CapLimits } from '../capacity/identity-capacity.ts'
import type { ConnectionLimits } from '../connection/admitted.ts'
import type { MemoryLimits } from '../connection/memory.ts'
import { badOption } from '../errors.ts'
import type { InboundLimits } from '../inbound/inbound.ts'
import { checkKeys, isPlainObject, join, wholeNumber } from '../option-checks.ts'

/** The pace at which a server that stops closes its sockets, so that not all clients come back at once. */
export interface DrainLimits {
  /** Sockets closed at once. */
  readonly batch: number
  /** ms between two batches. */
  readonly every: number
  /** ms after which what is still open is terminated. */
  readonly deadline: number
}

/** Every limit, in bytes, milliseconds and counts. */
export interface Limits extends CapacityLimits, CapLimits, ConnectionLimits, InboundLimits, MemoryLimits {
  /** Rooms that one socket may be in. One more join throws `SWS_TOO_MANY_ROOMS`. Default 100. */
  readonly roomsPerSocket: number
  /**
   * How `drain()` and a stop of the server close the open sockets: `batch` at once, a pause of `every` ms, the rest at
   * `deadline` ms. Default 1,000, 1,000 and 30,000.
   */
  readonly drain: DrainLimits
}

type Loose<T> = { readonly [Key in keyof T]?: T[Key] extends object ? Loose<T[Key]> : T[Key] }
/**
 * The `limits` option: sizes in bytes, times in ms. Every number is a whole one of at least 1; what is left out has its
 * default. There is no way to switch a limit off.
 */
export type LimitOptions = Loose<Limits>

/** These belong to the server, not to one of its routes. */
const ofServer = [
  'connections',
  'connectionsPerAddress',
  'handshakesPerMinutePerAddress',
  'refusedPerMinutePerAddress',
  'memoryBytes',
  'drain',
  'roomsPerSocket',
] as const
/** The limits that a route may say anew: all but those of the whole server. */
export type RouteLimitOptions = Omit<LimitOptions, (typeof ofServer)[number]>

export const defaultLimits: Limits = {
  handshake: 10_000,
  connections: 10_000,
  connectionsPerAddress: 100,
  connectionsPerSession: 10,
  connectionsPerUser: 50,
  handshakesPerMinutePerAddress: 120,
  refusedPerMinutePerAddress: 600,
  messageBytes: 65_536,
  messageDepth: 32,
  messages: { perSecond: 20, burst: 100 },
  bytes: { perSecond: 262_144, burst: 1_048_576 },
  inboundQueue: 64,
  listener: 30_000,
  refusals: { perMinute: 20 },
  requests: 16,
  roomsPerSocket: 100,
  outboundBytes: 1_048_576,
  memoryBytes: 268_435_456,
  writeTimeout: 10_000,
  heartbeat: { every: 25_000, timeout: 8_000 },
  partialMessage: 10_000,
  idle: 1_800_000,
  lookup: 10_000,
  lifetime: 86_400_000,
  drain: { batch: 1_000, every: 1_000, deadline: 30_000 },
}

/**
 * @throws SecureWsError `SWS_BAD_OPTION` for an unknown limit or one that is not a whole number from 1 to 2^31 - 1, which is
 * as long as a timer can wait. There is no way to switch a limit off: a number that is large enough says the same, and says
 * how large.
 */
export function resolveLimits(given: unknown, path: string, base: Limits = defaultLimits): Limits {
  const limits = merge(base, given, path)
  if (limits.heartbeat.timeout > limits.heartbeat.every) {
    throw badOption(join(path, 'heartbeat'), limits.heartbeat, 'Write a `timeout` no longer than `every`.')
  }
  if ((limits.bytes.burst ?? limits.bytes.perSecond) < limits.messageBytes) {
    throw badOption(
      join(path, 'bytes'),
      limits.bytes,
      `Write a \`burst\` of at least \`messageBytes\` (${limits.messageBytes}), or the largest message never passes.`,
    )
  }
  return limits
}

export function resolveRouteLimits(given: unknown, path: string, base: Limits): Limits {
  if (given === undefined) return base
  if (isPlainObject(given)) {
    for (const key of ofServer) {
      if (given[key] !== undefined) {
        throw badOption(
          join(path, key),
          given[key],
          `Set \`limits.${key}\` where the plugin is registered: it is one for the whole server.`,
        )
      }
    }
  }
  return resolveLimits(given, path, base)
}

function merge<T extends object>(base: T, given: unknown, path: string): T {
  if (given === undefined) return base
  if (!isPlainObject(given)) throw badOption(path, given, `Write an object such as ${JSON.stringify(base)}.`)
  checkKeys(given, Object.keys(base), path)
  const merged = { ...base }
  for (const [key, fallback] of Object.entries(base) as [keyof T & string, T[keyof T & string]][]) {
    const value = given[key]
    if (value === undefined) continue
    const at = join(path, key)
    if (typeof fallback === 'object' && fallback !== null) merged[key] = merge(fallback, value, at)
    else merged[key] = wholeNumber(value, at, String(fallback)) as typeof fallback
  }
  return merged
}
