import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { AuditEvent } from '../telemetry/events.ts'

const channel = 'fastify-secure-ws:audit'

/** The server's own words while something runs: of a refusal, the client is told a code alone. */
export class Overheard {
  readonly #events: AuditEvent[] = []
  readonly #note = (event: unknown) => void this.#events.push(event as AuditEvent)

  constructor() {
    subscribe(channel, this.#note)
  }

  /** The last event that fits. */
  last(fits: (event: AuditEvent) => boolean): AuditEvent | undefined {
    return this.#events.findLast(fits)
  }

  stop(): void {
    unsubscribe(channel, this.#note)
  }
}
