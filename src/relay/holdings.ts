import { freshName } from './own-words.ts'
import type { LeaseStore } from './stores.ts'

export interface HoldingsOptions {
  readonly store: LeaseStore
  /** How long the places of a node outlive it when it is killed, in ms. Default 30,000. */
  readonly ttl?: number
  /** A clock that nobody can set. */
  readonly uptime?: () => number
  readonly onFailure: (error: unknown) => void
}

/** All that one node has in the store of leases, kept for as long as the node lives. */
export interface Holdings {
  /** Takes one of `limit` places, now. Rejects when nobody can say; nothing is held then. */
  take(key: string, holder: string, limit: number): Promise<boolean>
  /** Has a place under a key, soon and for as long as it is not dropped: one without a limit, so nobody waits for it. */
  put(key: string, holder: string): void
  /** Gives a place back. Resolves when the store has been told. */
  drop(key: string, holder: string): Promise<void>
  /** Everybody who has a place under a key, on whichever node: what was put and dropped here before is in it. */
  holders(key: string): Promise<string[]>
  /** Writes everything once more, in a new tenure: the store may have lost some, or may still have what was dropped. */
  renew(): void
  /** Gives everything back; afterwards nothing runs any more. */
  close(): Promise<void>
}

/** A place, as it should be and as the store has it. */
interface Place {
  readonly id: string
  readonly key: string
  readonly holder: string
  wanted: boolean
  /** The tenure in which the store has it; `unknown` after a failure. */
  stored: string | typeof absent | typeof unknown
  /** When it is written again, on the clock that nobody can set. */
  dueAt: number
  working: boolean
  waiters: (() => void)[]
}

const absent = ''
const unknown = 'unknown'

/** Writes under way at once. What waits is one place for each holder and key, however often it comes and goes. */
const writers = 256
/** Places that are given up and of which nobody knows whether the store still has them: with more, a new tenure begins. */
const mostDoubts = 1_000
/** How many times longer a place lives than the tenure it was taken in. */
const patience = 60

/**
 * Keeps the places of one node. Its tenure is one entry in the store, written three times in `ttl`; the places live sixty times
 * as long and are written again three times in that, each at a moment of its own. So what a node costs while nothing happens
 * does not depend on how many sockets it has.
 *
 * A tenure that the store does not know has ended (this node paused for too long, or the store was emptied): others may have
 * thrown away what was taken in it, so everything is written once more in a new one. The old one is ended, and with it whatever
 * this node has failed to give back.
 *
 * Order is kept for each place and not for the node: a socket that joins and leaves as fast as it may delays nobody else, and
 * of its comings and goings only the one under way and where it ends up are written.
 */
export function createHoldings(options: HoldingsOptions): Holdings {
  const { store, ttl = 30_000, uptime = () => performance.now(), onFailure } = options
  const placeTtl = ttl * patience
  const places = new Map<string, Place>()
  const unsettled = new Map<string, Place>()
  let tenure = freshName()
  /** Resolves when the store knows the tenure: what is taken before that would be nobody's. */
  let begun: Promise<unknown> | undefined
  let writing = 0
  let isDue = false
  let timer: NodeJS.Timeout | undefined
  let beating: Promise<void> | undefined
  let renewing: Promise<void> | undefined
  let closed: Promise<void> | undefined

  function begin(): Promise<unknown> {
    if (closed === undefined) timer ??= setInterval(beat, ttl / 3).unref()
    if (begun !== undefined) return begun
    const attempt = store.keep(tenure, ttl)
    begun = attempt
    attempt.catch(() => {
      if (begun === attempt) begun = undefined
    })
    return attempt
  }

  const isSettled = ({ wanted, stored }: Place): boolean => stored === (wanted ? tenure : absent)

  function placeOf(key: string, holder: string): Place {
    const id = JSON.stringify([key, holder])
    const place = places.get(id) ?? {
      id,
      key,
      holder,
      wanted: false,
      stored: absent,
      dueAt: 0,
      working: false,
      waiters: [],
    }
    places.set(id, place)
    return place
  }

  /** At the end of the turn: who comes and goes within one message costs the store nothing. */
  function settle(place: Place): void {
    unsettled.set(place.id, place)
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      next()
    })
  }

  function next(): void {
    for (const place of unsettled.values()) {
      if (writing >= writers) return
      if (place.working) continue
      place.working = true
      writing++
      void write(place)
    }
  }

  async function write(place: Place): Promise<void> {
    const { id, key, holder, wanted, waiters } = place
    place.waiters = []
    let failed = false
    try {
      if (!isSettled(place)) await (wanted ? enter(place) : store.free(key, holder))
      if (!wanted) place.stored = absent
    } catch (error) {
      // Tried again with the next beat, and not at once: the store is away, or busy.
      failed = true
      place.stored = unknown
      onFailure(error)
    }
    place.working = false
    writing--
    // Behind the others: one that changed again meanwhile waits for its next turn.
    unsettled.delete(id)
    if (place.waiters.length > 0 || place.wanted !== wanted || (!failed && !isSettled(place))) unsettled.set(id, place)
    else if (place.stored === absent) places.delete(id)
    for (const done of waiters) done()
    next()
  }

  async function enter(place: Place): Promise<void> {
    await begin()
    // Whichever it is by now: the store knows it before it hears of the place.
    const mine = tenure
    await store.take({ key: place.key, holder: place.holder, tenure: mine }, Number.POSITIVE_INFINITY, placeTtl)
    hasStored(place, mine)
  }

  function hasStored(place: Place, by: string): void {
    place.stored = by
    place.dueAt = uptime() + (placeTtl / 3) * (0.5 + Math.random() / 2)
  }

  /** Resolves when the store has been told of everything that was so at this moment. */
  async function told(these: readonly Place[]): Promise<void> {
    await Promise.all(these.map((place) => new Promise<void>((resolve) => place.waiters.push(resolve))))
  }

  function beat(): void {
    beating ??= keepOn()
      .catch(onFailure)
      .finally(() => {
        beating = undefined
      })
  }

  async function keepOn(): Promise<void> {
    if (begun === undefined) await begin()
    else {
      const mine = tenure
      if (!(await store.keep(mine, ttl)) && mine === tenure) return void renew()
    }
    const now = uptime()
    let doubts = 0
    for (const place of places.values()) {
      if (place.wanted && place.stored === tenure && place.dueAt <= now) place.stored = unknown
      if (!place.wanted && place.stored === unknown) doubts++
      if (!isSettled(place)) settle(place)
    }
    if (doubts > mostDoubts) renew()
  }

  function renew(): void {
    if (closed !== undefined) return
    renewing ??= startTenure().finally(() => {
      renewing = undefined
    })
  }

  async function startTenure(): Promise<void> {
    const last = tenure
    tenure = freshName()
    begun = undefined
    for (const [id, place] of places) {
      // What was to be given back ends with the tenure it was taken in.
      if (!place.wanted && !place.working) {
        for (const done of place.waiters) done()
        unsettled.delete(id)
        places.delete(id)
      } else settle(place)
    }
    await told([...places.values()])
    await store.keep(last, 0).catch(onFailure)
  }

  return {
    async take(key, holder, limit) {
      if (closed !== undefined) return false
      await begin()
      const mine = tenure
      try {
        if (!(await store.take({ key, holder, tenure: mine }, limit, placeTtl))) return false
      } catch (error) {
        // It may have been carried out: nobody would ever give it back.
        const place = placeOf(key, holder)
        place.stored = unknown
        settle(place)
        throw error
      }
      const place = placeOf(key, holder)
      hasStored(place, mine)
      // Closed while the store was asked: this one is given back, too.
      place.wanted = closed === undefined
      if (!isSettled(place)) settle(place)
      if (!place.wanted) await told([place])
      return place.wanted
    },
    put(key, holder) {
      if (closed !== undefined) return
      const place = placeOf(key, holder)
      place.wanted = true
      settle(place)
    },
    async drop(key, holder) {
      const place = places.get(JSON.stringify([key, holder]))
      if (place === undefined || !place.wanted) return
      place.wanted = false
      settle(place)
      await told([place])
    },
    async holders(key) {
      await told([...unsettled.values()].filter((place) => place.key === key))
      return store.holders(key)
    },
    renew,
    close() {
      closed ??= end()
      return closed
    },
  }

  async function end(): Promise<void> {
    clearInterval(timer)
    await beating
    await renewing
    const known = begun
    // At once and for all of them, should this process not get to the end of what follows.
    if (known !== undefined) await store.keep(tenure, 0).catch(onFailure)
    for (const place of places.values()) {
      place.wanted = false
      settle(place)
    }
    await told([...places.values()])
  }
}
