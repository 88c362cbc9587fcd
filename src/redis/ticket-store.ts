import type { KeyObject } from 'node:crypto'
import type { StoredTicket, TicketStore } from '../authentication/ticket-store.ts'
import { badOption } from '../errors.ts'
import { isSigned, sign } from '../relay/signature.ts'

/** The parts of a bus that `redisTickets` uses: its connection, its prefix and its keys. `redisBus(...)` has them. */
export interface TicketRedis {
  /** The prefix of every key. */
  readonly channel: string
  /** The keys that sign what is stored, read each time. */
  readonly secret?: readonly KeyObject[]
  /** The connection. */
  readonly commands: { send(key: string, ...args: readonly string[]): Promise<unknown> }
}

/**
 * Tickets for several nodes, kept in the Redis of `redisBus(...)` over the connection it has: issued by one node, redeemed
 * once by any of them (GETDEL, Redis 6.2). What is kept is signed with the bus's secret, so that who can write to Redis
 * still cannot make up a ticket. While Redis is away none is issued, and none redeemed.
 *
 * @throws SecureWsError `SWS_BAD_OPTION` when it is given anything but a Redis bus.
 */
export function redisTickets(bus: TicketRedis): TicketStore {
  if (typeof bus?.commands?.send !== 'function' || typeof bus.channel !== 'string' || bus.secret?.[0] === undefined) {
    throw badOption('redisTickets', typeof bus, 'Pass the bus: const bus = redisBus({ ... }); redisTickets(bus).')
  }
  const { channel, commands } = bus
  /** Those that count now: a key may have an end. */
  const keys = () => bus.secret ?? []
  const nameOf = (hash: string) => `${channel}:ticket:${hash}`
  const read = async (hash: string, ...command: readonly string[]): Promise<StoredTicket | undefined> => {
    if (!isHash(hash)) return undefined
    const value = await commands.send(nameOf(hash), ...command, nameOf(hash))
    return typeof value === 'string' ? open(value, hash, keys()) : undefined
  }

  return {
    async put(hash, { session: _, askAgain: _askAgain, ...ticket }, ttlMs) {
      if (!isHash(hash)) throw new TypeError('not the hash of a ticket')
      const [key] = keys()
      if (key === undefined) throw new Error('every secret of the bus is past its `validUntil`')
      const text = JSON.stringify(ticket)
      const value = `${sign(key, aboutTicket(hash), text)}.${text}`
      // NX: two tickets with one hash cannot happen; if it does, the second one is not issued.
      const answer = await commands.send(nameOf(hash), 'SET', nameOf(hash), value, 'PX', String(ttlMs), 'NX')
      if (String(answer) !== 'OK') throw new Error('this ticket is already kept')
    },
    take: (hash) => read(hash, 'GETDEL'),
    peek: (hash) => read(hash, 'EVAL', peekScript, '1'),
  }
}

/**
 * Reads a ticket and leaves it, with the time it has, by the rights that are there for taking one: the user of a bus needs none
 * to read whatever else is kept under its prefix. `SET ... GET` hands out what it replaces, and it is put back in the same step.
 */
const peekScript = `
local value = redis.call('SET', KEYS[1], '', 'XX', 'KEEPTTL', 'GET')
if value then redis.call('SET', KEYS[1], value, 'XX', 'KEEPTTL') end
return value
`

/** Total: what somebody else wrote there is no ticket. */
function open(value: string, hash: string, keys: readonly KeyObject[]): StoredTicket | undefined {
  const text = value.slice(44)
  // The hash is signed too: a ticket cannot be copied to another one's place.
  if (value[43] !== '.' || !isSigned(value.slice(0, 43), aboutTicket(hash), text, keys)) return undefined
  return parse(text)
}

function parse(text: string): StoredTicket | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    return undefined
  }
  const map = new Map<string, unknown>(Object.entries(Object(fields)))
  const sessionId = map.get('sessionId')
  const userId = map.get('userId')
  const origin = map.get('origin')
  const route = map.get('route')
  const expiresAt = map.get('expiresAt')
  const issuedAt = map.get('issuedAt')
  if (typeof sessionId !== 'string' || typeof route !== 'string' || typeof expiresAt !== 'number') return undefined
  if (userId !== undefined && typeof userId !== 'string') return undefined
  if (origin !== null && typeof origin !== 'string') return undefined
  if (issuedAt !== undefined && typeof issuedAt !== 'number') return undefined
  return {
    sessionId,
    ...(userId !== undefined && { userId }),
    origin,
    route,
    expiresAt,
    ...(issuedAt !== undefined && { issuedAt }),
  }
}

/** Not a topic: a topic holds no blank. */
function aboutTicket(hash: string): string {
  return `ticket ${hash}`
}

function isHash(hash: string): boolean {
  return /^[A-Za-z0-9_=+/-]{22,128}$/.test(hash)
}
