import { memoryTickets } from '../../src/authentication/ticket-store.ts'
import { memoryBus } from '../../src/relay/memory-bus.ts'
import { contracts } from './contracts.ts'

contracts('memory', async () => {
  const bus = memoryBus()
  const tickets = memoryTickets()
  return { buses: [bus, bus], tickets: [tickets, tickets], close: () => bus.close() }
})
