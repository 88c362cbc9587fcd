import { CloseCode } from '../errors.ts'
import { revalidationFailures } from '../revocation/revalidation.ts'
import type { Grant, Member } from '../rooms/rooms.ts'
import type { SignedIn } from '../session/identity.ts'
import { answerWithin, isSilence } from '../session/question.ts'
import type { AuditEntry } from '../telemetry/audit.ts'
import type { Observer } from '../telemetry/observer.ts'
import { nameOfThrown } from '../telemetry/thrown.ts'
import type { Held } from './held.ts'
import type { Surroundings } from './surroundings.ts'

/** A socket whose rights are reviewed: the answers are carried out here. */
export interface Reviewed extends Held {
  readonly signedIn: SignedIn | null
  /** When to ask, on the clock that nobody can set; known from the first visit of the sweep on. */
  reviewAt: number | undefined
  replaceSession(signedIn: SignedIn): void
  sessionEnded(reason: string): void
  audit(entry: AuditEntry): void
  /** Told how long the application took to answer. */
  readonly observer: Observer | undefined
  uptime(): number
  askingFailed(error: unknown, asked: string): void
  /** Told that it was in this room, and may not be any more. */
  leftRoom(room: string): void
}

type ReviewSurroundings = Pick<Surroundings, 'revalidation' | 'now' | 'uptime' | 'isDenied'> & {
  readonly rooms: {
    grants(member: Member): readonly (readonly [room: string, Grant])[]
    grant(member: Member, room: string): Grant | undefined
    leave(member: Member, room: string): boolean
  }
}

/** What a socket may do was decided when it opened; here it is decided again, for as long as it stays (ASVS 8.3.2, CS-8). */
export class Rights {
  readonly #connection: Reviewed
  readonly #surroundings: ReviewSurroundings
  #failures = 0
  #isAsking = false
  /** The `expiresAt` before which was asked already. */
  #askedBefore: number | undefined

  constructor(connection: Reviewed, surroundings: ReviewSurroundings) {
    this.#connection = connection
    this.#surroundings = surroundings
  }

  /** Whether an answer is awaited, or there was none. */
  get isOpen(): boolean {
    return this.#isAsking || this.#failures > 0
  }

  /**
   * Asks what was asked at the handshake: is the session still good, may it be on this route, may it be in its rooms? A
   * question that cannot be answered (thrown, or silent for `limits.lookup`) is asked again soon; a few times in a row close
   * the socket with 1013: our fault, and no "no". Never rejects.
   */
  async revalidate(): Promise<void> {
    const connection = this.#connection
    const { revalidation, uptime, isDenied } = this.#surroundings
    connection.reviewAt = revalidation.dueAfter(uptime())
    this.#isAsking = true
    const since = uptime()
    let asked = '`revalidate`'
    try {
      const { signedIn, admitted } = connection
      if (signedIn !== null) {
        const renewed = await ask(connection, 'revalidate', () => admitted.policy.revalidate(signedIn))
        if (connection.ended) return
        // Race: refreshed while the question was open. The answer is about what was replaced.
        if (connection.signedIn !== signedIn) return revalidation.request(connection)
        // It may come back with another token, and that one may have been revoked while the question was open.
        if (renewed === null) return connection.sessionEnded('the session is over')
        if (isDenied(renewed.identity, connection.since))
          return connection.end(CloseCode.Unauthorized, 'the session is over')
        connection.replaceSession(renewed)
      }
      asked = '`authorize`'
      await this.reauthorize()
      this.#failures = 0
    } catch (error) {
      this.#failures++
      const durationMs = Math.round(uptime() - since)
      connection.audit({ type: 'session.revalidation-failed', reason: nameOfThrown(error), durationMs })
      connection.askingFailed(error, asked)
      if (this.#failures < revalidationFailures) connection.reviewAt = revalidation.retryAfter(uptime())
      else connection.end(CloseCode.TryAgainLater, `revalidation failed ${revalidationFailures} times in a row`)
    } finally {
      this.#isAsking = false
    }
  }

  /** Asks the route, and every room with an `authorize` of its own. Rejects when the route's question has no answer. */
  async reauthorize(): Promise<void> {
    const connection = this.#connection
    const { policy, request } = connection.admitted
    if (policy.authorize !== undefined) {
      const { signedIn } = connection
      const { authorize } = policy
      const allowed = await ask(connection, 'authorize', () => authorize(connection.session, request))
      if (connection.ended) return
      if (connection.signedIn !== signedIn) return this.#surroundings.revalidation.request(connection)
      if (allowed !== true) return connection.end(CloseCode.Forbidden, "the route's `authorize` says no now")
    }
    const asked = this.#surroundings.rooms.grants(connection).filter(([, { authorize }]) => authorize !== undefined)
    // All at once: a room whose question nobody answers takes no more of this socket's time than one deadline.
    await Promise.all(asked.map(([room, grant]) => this.#reauthorizeRoom(room, grant)))
  }

  async #reauthorizeRoom(room: string, grant: Grant): Promise<void> {
    const connection = this.#connection
    const { rooms, revalidation } = this.#surroundings
    const { signedIn } = connection
    const allowed = await permits(grant, connection)
    // The grant may have been replaced or given back while the question was open.
    if (connection.ended || rooms.grant(connection, room) !== grant) return
    if (connection.signedIn !== signedIn) revalidation.request(connection)
    else if (!allowed) {
      rooms.leave(connection, room)
      connection.leftRoom(room)
    }
  }

  sweep(uptime: number): void {
    const { revalidation } = this.#surroundings
    if (this.#isDueBeforeEnd()) revalidation.request(this.#connection, true)
    else if (uptime >= (this.#connection.reviewAt ?? Number.POSITIVE_INFINITY)) revalidation.request(this.#connection)
  }

  /** True once for each end of the session: it may have been renewed over HTTP, so it is asked about before it closes the socket. */
  #isDueBeforeEnd(): boolean {
    const { signedIn } = this.#connection
    const expiresAt = signedIn?.identity.expiresAt
    if (expiresAt === undefined || signedIn?.askAgain === undefined || expiresAt === this.#askedBefore) return false
    if (untilEnd(this.#connection, this.#surroundings.now()) > 0) return false
    this.#askedBefore = expiresAt
    return true
  }

  /**
   * CS-11: a longer life for the same subject, on a socket that keeps its rooms. Another subject's token, or one that is no
   * good, ends the socket: whoever sent it may not be whom it belongs to.
   */
  async refresh(token: string): Promise<boolean> {
    const connection = this.#connection
    const { signedIn, admitted } = connection
    if (signedIn === null || admitted.policy.refresh === undefined) return false
    const { refresh } = admitted.policy
    const since = this.#surroundings.uptime()
    const refused = (code: CloseCode, reason: string): false => {
      connection.audit({ type: 'session.refresh-refused', code, reason, ...this.#lookUp(since) })
      connection.end(code, reason)
      return false
    }
    let renewed: SignedIn | null
    try {
      renewed = await ask(connection, 'refresh', () => refresh(signedIn, admitted.method, token))
    } catch (error) {
      connection.askingFailed(error, 'the refresh of a token')
      // Our fault, and no "no": the same token may be good a moment later.
      return !connection.ended && refused(CloseCode.TryAgainLater, 'nobody could say whether the new token is good')
    }
    if (connection.ended) return false
    if (renewed === null || this.#surroundings.isDenied(renewed.identity, connection.since)) {
      return refused(CloseCode.Unauthorized, 'the new token is not good for this session')
    }
    connection.replaceSession(renewed)
    connection.audit({ type: 'session.refreshed', ...this.#lookUp(since) })
    return true
  }

  #lookUp(since: number): { readonly method: string | undefined; readonly durationMs: number } {
    return { method: this.#connection.admitted.method, durationMs: Math.round(this.#surroundings.uptime() - since) }
  }
}

/** How long before its end a session is asked about, in ms. */
const beforeEnd = 5_000

/** How long until a session has to be asked about because it ends, in ms. */
export function untilEnd({ signedIn, admitted }: Reviewed, now: number): number {
  const expiresAt = signedIn?.identity.expiresAt
  if (expiresAt === undefined) return Number.POSITIVE_INFINITY
  return expiresAt - Math.min(beforeEnd, admitted.policy.limits.lookup) - now
}

/** A question that fails, or stays unanswered, is answered no: it is about one room, and the socket stays. */
export async function permits({ authorize }: Grant, connection: Reviewed): Promise<boolean> {
  const { session } = connection
  try {
    return (await ask(connection, 'join', () => authorize?.(session))) === true
  } catch (error) {
    connection.askingFailed(error, '`authorize` of a room')
    return false
  }
}

/** Asks the application within `limits.lookup`, and tells whoever measures how long it took. */
async function ask<T>(connection: Reviewed, question: string, asked: () => T | PromiseLike<T>): Promise<T> {
  const { observer, admitted } = connection
  const { lookup } = admitted.policy.limits
  if (observer === undefined) return answerWithin(lookup, asked)
  const since = connection.uptime()
  try {
    const answer = await answerWithin(lookup, asked)
    observer.lookup(question, 'returned', connection.uptime() - since)
    return answer
  } catch (error) {
    observer.lookup(question, isSilence(error) ? 'silent' : 'threw', connection.uptime() - since)
    throw error
  }
}
