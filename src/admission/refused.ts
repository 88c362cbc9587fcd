import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { credentialTexts } from '../authentication/credential.ts'
import type { Refusal } from '../http/refusal.ts'
import type { SignedIn } from '../session/identity.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { DeveloperLog } from '../telemetry/developer-log.ts'
import type { ThrownLog } from '../telemetry/thrown.ts'
import { adviceOn } from './advice.ts'
import { readHandshake } from './handshake-request.ts'
import { type AskedFor, situationOf } from './situation.ts'

/** A handshake that was refused, and what is known of it where that was decided. */
export interface RefusedHandshake {
  readonly refusal: Refusal
  /** The rule only reports for now: the handshake goes on. */
  readonly onlyReported?: boolean
  readonly raw: IncomingMessage
  /** As it was declared; `undefined` where no route has the path. */
  readonly route: string | undefined
  readonly address: string | undefined
  readonly origin: string | undefined
  /** Whose it is, where that was known by then. */
  readonly signedIn?: SignedIn | null | undefined
  readonly durationMs?: number | undefined
  readonly asked: AskedFor | undefined
  /** Fastify's `trustProxy` trusts the other end, also where it sent no header that would show. */
  readonly peerIsTrusted: () => boolean
  readonly unixSocket: () => boolean
  /** The request's own; without one, the application's. */
  readonly log?: FastifyBaseLogger
}

/** Tells everybody of a refusal but its client: the event, what the application threw, the advice for its developer. */
export interface Announcer {
  /** Whether anybody would hear of it: without, nothing need be made for `announce`. */
  readonly isHeard: () => boolean
  announce(refused: RefusedHandshake): void
}

export interface AnnouncerOptions extends Pick<Announcer, 'isHeard'> {
  readonly audit: Audit
  readonly tell: DeveloperLog
  readonly thrown: ThrownLog
  readonly log: FastifyBaseLogger
}

export function createAnnouncer({ isHeard, audit, tell, thrown, log: ofApplication }: AnnouncerOptions): Announcer {
  return { isHeard, announce }

  function announce({
    refusal,
    onlyReported = false,
    raw,
    route,
    address,
    origin,
    asked,
    ...rest
  }: RefusedHandshake): void {
    const { peerIsTrusted, unixSocket, log = ofApplication, durationMs, signedIn } = rest
    const who = signedIn && { sessionId: signedIn.identity.sessionId, user: signedIn.identity.userId }
    const { code, status, reason, cause } = refusal
    const type = onlyReported ? 'handshake.reported' : 'handshake.refused'
    audit({ type, code, reason, durationMs, route, ...who, address, origin }, log)
    if (cause !== undefined) thrown(cause, { log, secrets: credentialTexts({ raw }), fields: { code, route } })
    const text = () => {
      const trusted = peerIsTrusted()
      const facts = readHandshake(raw, { trusted, address })
      return adviceOn(refusal, situationOf({ facts, raw, peerIsTrusted: trusted, unixSocket: unixSocket() }, asked))
    }
    if (onlyReported) tell({ about: `${code} (reported)`, route, text: () => `Admitted for now. ${text()}` }, log)
    else tell({ about: code, status, route, text }, log)
  }
}
