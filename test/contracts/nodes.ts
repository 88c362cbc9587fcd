import type { TicketStore } from '../../src/authentication/ticket-store.ts'
import type { Bus } from '../../src/relay/bus.ts'
import type { SharedStores } from '../../src/relay/stores.ts'

/** Two nodes that know of each other: what each contract is run over. */
export interface Nodes {
  readonly buses: readonly [Bus, Bus]
  readonly tickets: readonly [TicketStore, TicketStore]
  close(): Promise<void>
}

export function storesOf(bus: Bus): SharedStores {
  if (bus.stores === undefined) throw new Error(`${bus.name} has no stores`)
  return bus.stores
}
