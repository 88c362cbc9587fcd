import type { FastifyRequest } from 'fastify'
import { SecureWsError } from '../errors.ts'
import type { Identity } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { Thrown, ThrownLog } from '../telemetry/thrown.ts'
import { type AuthenticationVerdict, causeOf, type Refused } from './asking.ts'
import type { Authentication } from './authentication.ts'
import type { IssuedTicket, TicketRequest } from './authenticator.ts'
import { credentialTexts, isRefusedCredential } from './credential.ts'

export interface HttpSessionOptions {
  readonly authentication: Authentication
  /** Milliseconds that the application's functions may take. */
  readonly deadline: number
  /** Why no session can be judged right now: revocations may be missing. */
  readonly unjudgeable: () => string | undefined
  readonly isDenied: (identity: Identity, since: number) => boolean
  /** A clock that nobody can set. */
  readonly uptime: () => number
  readonly thrown: ThrownLog
}

/** Sessions on plain HTTP routes, by the same authenticators and with the same fail-closed answers as a handshake. */
export interface HttpSession {
  /** @throws SecureWsError `SWS_UNAVAILABLE` */
  session(request: FastifyRequest): Promise<Session | null>
  /** @throws SecureWsError `SWS_NO_SESSION`, `SWS_UNAVAILABLE`, `SWS_BAD_OPTION` */
  issueTicket(
    issue: NonNullable<Authentication['issueTicket']>,
    request: FastifyRequest,
    ask: TicketRequest,
  ): Promise<IssuedTicket>
}

export function createHttpSession(options: HttpSessionOptions): HttpSession {
  const { authentication, deadline, unjudgeable, isDenied, uptime, thrown } = options

  /** The cause goes to the log; what Fastify answers with says that it is not the client's fault, and nothing more. */
  function unavailable(request: FastifyRequest, cause: Thrown): SecureWsError {
    thrown(cause, { log: request.log, secrets: credentialTexts(request), fields: { code: 'SWS_UNAVAILABLE' } })
    return new SecureWsError('SWS_UNAVAILABLE', 'Sessions cannot be looked up right now.')
  }

  function refuseWhileUnjudgeable(request: FastifyRequest): void {
    const reason = unjudgeable()
    if (reason === undefined) return
    request.log.warn({ code: 'SWS_UNAVAILABLE' }, `fastify-secure-ws: no session can be judged: ${reason}`)
    throw new SecureWsError('SWS_UNAVAILABLE', 'Sessions cannot be looked up right now.')
  }

  async function inTime<T>(answer: T | Promise<T>, request: FastifyRequest): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<'late'>()
    const timer = setTimeout(resolve, deadline, 'late')
    try {
      const first = await Promise.race([answer, promise])
      if (first !== 'late') return first
      throw unavailable(request, { by: '`authenticate`', error: new Error(`no answer within ${deadline} ms`) })
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async session(request) {
      if (authentication.anonymous) return null
      refuseWhileUnjudgeable(request)
      const since = uptime()
      const verdict: AuthenticationVerdict = await inTime(authentication.authenticate(request), request)
      if (verdict.refused) {
        if (verdict.fault) throw unavailable(request, causeOf(verdict))
        return null
      }
      const { signedIn } = verdict
      // Race: revoked, or the bus lost, while the store was asked.
      refuseWhileUnjudgeable(request)
      return signedIn === null || isDenied(signedIn.identity, since) ? null : signedIn.session
    },
    async issueTicket(issue, request, ask) {
      let issued: IssuedTicket | Refused
      try {
        issued = await inTime(issue(request, ask), request)
      } catch (error) {
        if (error instanceof SecureWsError) throw error
        if (isRefusedCredential(error)) throw new SecureWsError('SWS_NO_SESSION', `No ticket: ${error.message}.`)
        throw unavailable(request, { by: 'the ticket store', error })
      }
      if (!('refused' in issued)) return issued
      if (issued.fault) throw unavailable(request, causeOf(issued))
      throw new SecureWsError('SWS_NO_SESSION', `No ticket: ${issued.reason}.`)
    },
  }
}
