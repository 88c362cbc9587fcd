import type { AuditLogger } from '../telemetry/audit.ts'
import { logThrown } from '../telemetry/thrown.ts'
import { type BusFault, faultOf, isSymptom } from './fault.ts'

/** Tells the server's log why the bus is away, once for each cause: it is tried again many times a minute. */
export interface BusFaults {
  /** The connection failed, or a command did. */
  failed(error: unknown): void
  /** All is well again: the same fault would be news. */
  recovered(): void
}

export function createBusFaults(name: string, log: AuditLogger): BusFaults {
  let last: string | undefined
  /** A server that answers, and refuses: these stay as they are, whatever else comes and goes. */
  const rights = new Set<string>()

  function tell(fault: BusFault, error: unknown): void {
    logThrown(
      log,
      error,
      { bus: name, fault: fault.name },
      `fastify-secure-ws: the bus \`${name}\` failed: ${fault.name}. ${fault.advice}`,
    )
  }

  return {
    failed(error) {
      const fault = faultOf(error)
      if (fault?.name.startsWith('missing right')) {
        if (rights.has(fault.name)) return
        rights.add(fault.name)
        tell(fault, error)
        return
      }
      // After a fault with a name, "away" is what follows from it, and is no change.
      if (last !== undefined && (fault === undefined || fault.follows === true)) return
      if (fault === undefined && !isSymptom(error)) return
      const named = fault ?? {
        name: 'away',
        advice:
          'It did not connect or answer in time. Check host, port and firewall, and that both sides speak TLS or neither does.',
      }
      if (named.name === last) return
      last = named.name
      tell(named, error)
    },
    recovered() {
      rights.clear()
      if (last === undefined) return
      last = undefined
      log.info({ bus: name }, `fastify-secure-ws: the bus \`${name}\` is back`)
    },
  }
}
