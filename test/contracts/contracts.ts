import { describe } from 'node:test'
import { busContract } from './bus.contract.ts'
import { countersContract } from './counters.contract.ts'
import { denialsContract } from './denials.contract.ts'
import type { Nodes } from './nodes.ts'
import { presenceContract } from './presence.contract.ts'
import { ticketsContract } from './tickets.contract.ts'

/** One suite, whatever stands behind it. */
export function contracts(name: string, open: () => Promise<Nodes>): void {
  describe(name, () => {
    busContract(open)
    denialsContract(open)
    countersContract(open)
    presenceContract(open)
    ticketsContract(open)
  })
}
