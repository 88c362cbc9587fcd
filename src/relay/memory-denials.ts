import { createDenialLedger } from '../session/denial-ledger.ts'
import type { Denial, DenialStore } from '../session/denials.ts'

const batch = 250

/** For one process: what the applications that share a `memoryBus()` have denied. */
export function memoryDenials(now: () => number = () => Date.now()): DenialStore {
  const ledger = createDenialLedger(0)
  let log: Denial[] = []
  let generation = 0
  return {
    async deny(...denials) {
      const time = now()
      for (const denial of denials) if (ledger.put(denial, time)) log.push(denial)
      if (log.length <= 2 * ledger.size + 1024) return
      // Loses the order of arrival: a reader from before it is given everything again, never less.
      generation++
      log = ledger.all(time)
    },
    async since(cursor) {
      const time = now()
      const [asked, position] = cursor?.split(' ') ?? []
      const from = asked === String(generation) ? Number(position) : 0
      const next = Math.min(from + batch, log.length)
      const denials = log.slice(from, next).filter((denial) => denial.until > time)
      return { denials, cursor: `${generation} ${next}`, more: next < log.length, reset: false }
    },
  }
}
