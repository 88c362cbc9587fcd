import { CloseCode } from '../errors.ts'
import type { Relay, RelayMessage } from '../relay/relay.ts'
import type { Member } from '../rooms/rooms.ts'
import { type Denial, denialOf, hitsOpenSocket } from '../session/denials.ts'
import type { Identity } from '../session/identity.ts'
import { checkSubject, type Subject } from '../session/subject.ts'
import { checkUntil } from '../session/until.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { Identities } from './identities.ts'
import { createReauthorized } from './reauthorized.ts'
import type { Revalidated, Revalidation } from './revalidation.ts'

/** The result of a revocation, known when its promise resolves. */
export interface Revoked {
  /** Sockets closed on this node. */
  readonly closed: number
  /** Whether it is kept where the other nodes will find it. `false`: only this node knows; it is tried again, and once more at the end. */
  readonly stored: boolean
}

/** A socket as revocation sees it. */
export interface Revocable extends Member, Revalidated {
  /** In ms since the epoch. */
  readonly openedAt: number
  end(code: CloseCode, reason: string): void
}

export interface RevocationOptions<M extends Revocable> {
  readonly relay: Pick<Relay, 'deny' | 'findDenial' | 'publish'>
  readonly identities: Identities<M>
  readonly revalidation: Pick<Revalidation, 'request'>
  readonly now: () => number
  /** A clock that nobody can set. */
  readonly uptime: () => number
  readonly audit: Audit
  /** How long a credential could live, in ms: for so long a revocation is remembered. */
  readonly maxAge: number
  readonly clockSkew: number | undefined
}

/** Ends sessions, here and on every node, and asks again about rights that have changed. */
export function createRevocation<M extends Revocable>(options: RevocationOptions<M>) {
  const { relay, identities, revalidation, now, uptime, audit, maxAge, clockSkew } = options
  const reauthorized = createReauthorized()
  /** A revocation of this node's own is told where it was called. */
  let isOwn = false

  function rightsChanged({ kind, id }: Denial): void {
    const key = `${kind}:${id}`
    reauthorized.note(key, uptime())
    for (const connection of identities.of(key)) revalidation.request(connection, true)
  }

  function denied(denials: readonly Denial[]): void {
    const count = closeDenied(denials)
    if (count === 0 || isOwn) return
    // By the clocks of two machines; a ban is dated ahead.
    const at = Math.min(...denials.map((denial) => denial.at))
    audit({ type: 'session.revocation-heard', count, durationMs: Math.max(0, now() - at) })
  }

  /** Has the relay learn of denials of this node's own. */
  function deny(...denials: readonly Denial[]): Promise<boolean> {
    const before = isOwn
    isOwn = true
    try {
      return relay.deny(...denials)
    } finally {
      isOwn = before
    }
  }

  /**
   * Denials are in force: what they hit is shut before this returns, and nothing is handled or sent on it any more. A user
   * may sign in again; the very sessions that were closed may not come back, whether or not they say when they began: they
   * are denied by name, in one list.
   *
   * @returns how many sockets it has shut
   */
  function closeDenied(denials: readonly Denial[]): number {
    const byName = new Map<string, Denial>()
    let count = 0
    for (const denial of denials) {
      for (const connection of [...identities.of(`${denial.kind}:${denial.id}`)]) {
        const { identity } = connection
        if (identity === null) continue
        if (!hitsOpenSocket(denial, identity, connection.openedAt, clockSkew)) continue
        if (!connection.ended) count++
        connection.end(CloseCode.Unauthorized, `${denial.kind} revoked`)
        const known = relay.findDenial({ keys: [identity.keys[0]] })
        if (denial.kind !== 'user' || (known !== undefined && known.until >= denial.until)) continue
        byName.set(identity.sessionId, denialOf('session', identity.sessionId, denial.at, denial.until))
      }
    }
    if (byName.size > 0) void deny(...byName.values())
    return count
  }

  return {
    /** Another node has ended sessions, or changed rights; or the store knows of an end that this node had not heard of. */
    hear(message: RelayMessage & { readonly kind: 'identity' }): void {
      if (message.verb === 'close') denied(message.subjects)
      else for (const subject of message.subjects) rightsChanged(subject)
    },
    /** @param since when the handshake began that showed this identity, on the clock that nobody can set */
    isDenied: (identity: Identity, since: number): boolean => relay.findDenial(identity, since) !== undefined,
    isStale: (identity: Identity, since: number): boolean => reauthorized.isStale(identity, since),
    async revoke(subject: Subject, until: number | undefined): Promise<Revoked> {
      const [kind, id] = checkSubject(subject)
      const at = now()
      checkUntil('revoke.until', until, at)
      // With an end it is a ban: nobody of this identity comes back before, however freshly authenticated.
      const denial = denialOf(kind, id, until ?? at, until ?? at + maxAge)
      const open = [...identities.of(`${kind}:${denial.id}`)].filter(({ ended }) => !ended)
      const keeping = deny(denial)
      // Revoked twice within a millisecond, the second one says nothing new; who came in between is closed all the same.
      closeDenied([denial])
      const closed = open.filter(({ ended }) => ended).length
      return { closed, stored: await keeping }
    },
    /** Asks again, here and everywhere, what a user may do. @returns how many sockets of this node it concerns */
    reauthorize(subject: Subject): number {
      const [kind, id] = checkSubject(subject)
      const told = denialOf(kind, id, now(), now())
      rightsChanged(told)
      void relay.publish({ kind: 'identity', verb: 'reauthorize', subjects: [told] })
      return [...identities.of(`${kind}:${told.id}`)].filter(({ ended }) => !ended).length
    },
    socketsOf(subject: Subject): readonly M[] {
      const [kind, id] = checkSubject(subject)
      const { id: digest } = denialOf(kind, id, 0, 0)
      return [...identities.of(`${kind}:${digest}`)]
    },
  }
}
