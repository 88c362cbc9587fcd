import type { SignedIn } from '../session/identity.ts'
import type { AuditEntry, AuditType } from '../telemetry/audit.ts'
import { logThrown, nameOfThrown } from '../telemetry/thrown.ts'
import type { Admitted } from './admitted.ts'
import type { Surroundings } from './surroundings.ts'

/** So many faults within a minute are no accident any more. */
const faultsPerMinute = 5

/** Refusals that say more of their sender than that a message was wrong. */
const refusals: ReadonlyMap<string, AuditType> = new Map([
  ['SWS_REPLAYED', 'message.replayed'],
  ['SWS_STEP_UP_REQUIRED', 'message.step-up'],
])

export function typeOfRefusal(code: string): AuditType {
  return refusals.get(code) ?? 'message.refused'
}

/** The socket that is reported on. */
export interface Reported {
  readonly id: string
  readonly admitted: Admitted
  readonly signedIn: SignedIn | null
  /** When it opened, on the clock that nobody can set. */
  readonly since: number
}

/** Reports on a socket: events and lines of the log, with whose it is and where. */
export class Report {
  readonly #socket: Reported
  readonly #surroundings: Pick<Surroundings, 'audit' | 'isHeard'>
  #closed = false
  #faults: number[] | undefined

  constructor(socket: Reported, surroundings: Pick<Surroundings, 'audit' | 'isHeard'>) {
    this.#socket = socket
    this.#surroundings = surroundings
  }

  event(entry: AuditEntry): void {
    const { id, admitted, signedIn } = this.#socket
    this.#surroundings.audit(
      {
        route: admitted.policy.route,
        socket: id,
        ...entry,
        sessionId: signedIn?.identity.sessionId,
        user: signedIn?.identity.userId,
        address: admitted.address,
        origin: admitted.origin,
      },
      admitted.log,
    )
  }

  /** Logs an error of the application, of which the client learns nothing. */
  thrown(error: unknown, what: string, messageType?: string): void {
    const { id, admitted, signedIn } = this.#socket
    const secrets = [signedIn?.session.id, signedIn?.session.tokenId].filter((secret) => secret !== undefined)
    const fields = { route: admitted.policy.route, socket: id, messageType }
    logThrown(admitted.log, error, fields, `fastify-secure-ws: ${what}`, secrets)
  }

  /** A declared type that nothing listens to, though the handler is done. */
  deaf(messageType: string): void {
    const { policy, log } = this.#socket.admitted
    log.warn(
      { route: policy.route, messageType },
      `fastify-secure-ws: \`receives.${messageType}\` is declared, but the handler attached no listener: socket.on('${messageType}', ...)`,
    )
  }

  /** @returns whether it is one too many */
  fault(error: unknown, messageType: string | undefined, now: number): boolean {
    this.thrown(error, 'a listener threw', messageType)
    this.event({ type: 'message.failed', code: 'SWS_INTERNAL', reason: nameOfThrown(error), messageType })
    this.#faults = [...(this.#faults ?? []).filter((at) => now - at < 60_000), now]
    return this.#faults.length >= faultsPerMinute
  }

  /** Once per socket, whoever ended it: we, the application, the client, or ws for a broken frame. */
  closed(type: 'socket.closed' | 'stream.closed', code: number, reason: string | undefined, now: number): void {
    if (this.#closed) return
    this.#closed = true
    this.event({ type, code, reason, durationMs: wholeMs(now - this.#socket.since) })
  }
}

/** As events show it. */
export function wholeMs(duration: number): number {
  return Math.round(duration)
}
