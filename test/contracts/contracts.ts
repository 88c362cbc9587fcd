import { describe } from 'node:test'
import { busContract } from './bus.contract.ts'
import { denialsContract } from './denials.contract.ts'
import { leasesContract } from './leases.contract.ts'
import type { Nodes } from './nodes.ts'
import { ratesContract } from './rates.contract.ts'
import { ticketsContract } from './tickets.contract.ts'

/** One suite, whatever stands behind it. */
export function contracts(name: string, open: () => Promise<Nodes>): void {
  describe(name, () => {
    busContract(open)
    denialsContract(open)
    leasesContract(open)
    ratesContract(open)
    ticketsContract(open)
  })
}
