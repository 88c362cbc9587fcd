import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Outcome } from './worker-pool.ts'

/** Remembers what became of a document: the same post goes to many, and a hostile one comes many times. */
export interface VerdictCache {
  get(dirty: string): Outcome | undefined
  set(dirty: string, outcome: Outcome): void
  clear(): void
  readonly size: number
}

/** UTF-16 units of clean text kept at most, so that the number of entries is not the only bound. */
const keptLength = 8_388_608
/** Above this a key is a digest: making one costs as much as a look-up may. */
const digestAbove = 1_024
/** Milliseconds. A document that took too long, or broke its worker, may have met a busy machine, and gets another chance. */
const doubtfulVerdict = 60_000

export function createVerdictCache(entries: number): VerdictCache {
  if (entries === 0) return { get: () => undefined, set: () => {}, clear: () => {}, size: 0 }
  const cache = new LRUCache<string, Outcome>({
    max: entries,
    maxSize: keptLength,
    sizeCalculation: (outcome, key) => key.length + ('clean' in outcome ? outcome.clean.length : 0),
  })
  return {
    get: (dirty) => cache.get(keyOf(dirty)),
    set(dirty, outcome) {
      if ('refused' in outcome && (outcome.because === 'pool' || outcome.because === 'share')) return
      const doubtful = 'refused' in outcome && outcome.because !== 'document'
      cache.set(keyOf(dirty), outcome, doubtful ? { ttl: doubtfulVerdict } : {})
    },
    clear: () => cache.clear(),
    get size() {
      return cache.size
    },
  }
}

/**
 * A digest is of every UTF-16 unit: as UTF-8, all lone surrogates are the same, and one document would get the outcome of
 * another. A short document is its own key, behind a mark that no digest begins with.
 */
function keyOf(dirty: string): string {
  return dirty.length > digestAbove ? hash('sha256', Buffer.from(dirty, 'utf16le')) : `<${dirty}`
}
