import { addressKey } from '../http/address.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import { createHandshakeRate, type HandshakeRate } from './handshake-rate.ts'
import type { Places } from './places.ts'

/** The `limits` on the connections of one node. */
export interface CapacityLimits {
  /** Open sockets and running handshakes of this server. One more gets 503. Default 10,000. */
  readonly connections: number
  /** The same for one IPv4 address or one IPv6 /64. One more gets 429. Default 100. */
  readonly connectionsPerAddress: number
  /**
   * Handshakes of pages that may connect, or of programs, that one address may begin within a minute, those that are
   * refused later on included. One more gets 429. With a shared bus it holds on all nodes together. Default 120.
   */
  readonly handshakesPerMinutePerAddress: number
  /**
   * Handshakes of one address that were refused within a minute, those of pages that may not connect included. Afterwards
   * every one gets 429, before anything else is looked at. Default 600.
   */
  readonly refusedPerMinutePerAddress: number
}

export interface Capacity {
  /**
   * Checks and takes in one turn of the loop: N parallel handshakes get exactly the places that are free (RS-11). Returns the
   * refusal where there is none.
   */
  reserve(places: Places, address: string | undefined, now: number): Refusal | undefined
  /** Gives back what `reserve` took: the TCP connection is gone. */
  release(places: Places): void
  /** The refusal that `reserve` would answer with now. Counts nothing, takes nothing. */
  check(address: string | undefined, now: number): Refusal | undefined
  /** Takes back what a handshake has spent that was reserved at `then`: its page had no business here. Its place stays its own. */
  giveBack(address: string | undefined, then: number): void
  /** The refusal of an address that was refused too often within a minute, known before anything else is looked at. */
  refusedTooOften(address: string | undefined, now: number): Refusal | undefined
  /** Counts a question why a handshake fails, and refuses it where there were too many: as many as there may be handshakes. */
  askedTooOften(address: string | undefined, now: number): Refusal | undefined
  /** Counts a refusal: from a budget of its own, because any page can have its visitor's browser refused here. */
  noteRefused(address: string | undefined, now: number): void
  counts(): { readonly connections: number; readonly addresses: number }
}

/** One node's room for connections, shared by all its routes. */
export function createCapacity(limits: CapacityLimits): Capacity {
  const rate = createHandshakeRate(limits.handshakesPerMinutePerAddress)
  const refused = createHandshakeRate(limits.refusedPerMinutePerAddress)
  /** Made with the first question: most servers are never asked. */
  let asked: HandshakeRate | undefined
  let lately: { readonly key: string; readonly wait: string; readonly refusal: Refusal } | undefined
  const perAddress = createHolders('address')
  let open = 0

  /** In a flood it is the same one again and again: nothing is made for each. */
  function tooOften(key: string, wait: string): Refusal {
    if (lately?.key !== key || lately.wait !== wait) {
      lately = { key, wait, refusal: tooFast(`${key} was refused too often within a minute`, wait) }
    }
    return lately.refusal
  }

  function overRate(key: string, wait: number | undefined): Refusal | undefined {
    return wait === undefined
      ? undefined
      : tooFast(`${key} began too many handshakes within a minute`, retryAfter(wait))
  }

  function full(): Refusal | undefined {
    if (open < limits.connections) return undefined
    const headers = { 'retry-after': retryAfter(busyFor) }
    return refuse('SWS_TOO_MANY_CONNECTIONS', `all ${limits.connections} connections are in use`, { headers })
  }

  return {
    reserve(places, address, now) {
      if (places.gone) return undefined
      const key = addressKey(address)
      const refusal = overRate(key, rate.take(key, now)) ?? full() ?? perAddress.take(key, limits.connectionsPerAddress)
      if (refusal !== undefined) return refusal
      open++
      places.heldByAddress = key
      return undefined
    },
    release(places) {
      const key = places.heldByAddress
      if (key === undefined) return
      places.heldByAddress = undefined
      open--
      perAddress.giveBack(key)
    },
    check(address, now) {
      const key = addressKey(address)
      return overRate(key, rate.wait(key, now)) ?? full() ?? perAddress.check(key, limits.connectionsPerAddress)
    },
    giveBack(address, then) {
      rate.giveBack(addressKey(address), then)
    },
    refusedTooOften(address, now) {
      const key = addressKey(address)
      const wait = refused.wait(key, now)
      return wait === undefined ? undefined : tooOften(key, retryAfter(wait))
    },
    askedTooOften(address, now) {
      asked ??= createHandshakeRate(limits.handshakesPerMinutePerAddress)
      const key = addressKey(address)
      const wait = asked.take(key, now)
      return wait === undefined ? undefined : tooFast(`${key} asked too often within a minute`, retryAfter(wait))
    },
    noteRefused(address, now) {
      refused.take(addressKey(address), now)
    },
    counts: () => ({ connections: open, addresses: perAddress.size }),
  }
}

export interface Holders {
  /** Takes one of `limit` places under this key, in the same turn as the check; returns the refusal where there is none. */
  take(key: string, limit: number): Refusal | undefined
  /** Gives back what was taken; once for each. */
  giveBack(key: string): void
  /** The refusal that `take` would answer with now. Takes nothing. */
  check(key: string, limit: number): Refusal | undefined
  /** How many keys hold anything. */
  readonly size: number
}

/**
 * How many connections each address, session or user has. A key is forgotten with its last place, so the map is never
 * larger than the number of connections.
 *
 * @param what Named in the audit event; the key itself is not, because a session id opens the session.
 */
export function createHolders(what: 'address' | 'session' | 'user'): Holders {
  const taken = new Map<string, number>()
  return {
    take(key, limit) {
      const count = taken.get(key) ?? 0
      if (count >= limit) return tooMany(what, limit)
      taken.set(key, count + 1)
      return undefined
    },
    giveBack(key) {
      const left = (taken.get(key) ?? 0) - 1
      if (left > 0) taken.set(key, left)
      else taken.delete(key)
    },
    check: (key, limit) => ((taken.get(key) ?? 0) < limit ? undefined : tooMany(what, limit)),
    get size() {
      return taken.size
    },
  }
}

function tooFast(reason: string, wait: string): Refusal {
  return refuse('SWS_TOO_MANY_HANDSHAKES', reason, { headers: { 'retry-after': wait } })
}

function tooMany(what: string, limit: number): Refusal {
  return refuse('SWS_TOO_MANY_CONNECTIONS', `this ${what} already has ${limit} connections`, {
    status: 429,
    headers: { 'retry-after': retryAfter(busyFor) },
    ...(what === 'address' && {
      advice:
        "If many clients share this address because a proxy is in front, name the proxy in Fastify's `trustProxy`.",
    }),
  })
}

/** Nobody knows when a connection ends: long enough that waiting costs less than trying. */
const busyFor = 10_000

function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1000)))
}
