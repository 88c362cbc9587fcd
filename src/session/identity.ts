import { hash } from 'node:crypto'
import type { Session } from './session.ts'

export const identityKinds = ['session', 'user', 'token'] as const
/** The three names that a session has. */
export type IdentityKind = (typeof identityKinds)[number]

/** Longer ids are refused: they become keys of rooms, counters and Redis. */
export const longestIdentityName = 512

/**
 * The identity of a session: a copy, made once where the session was accepted. The session itself is the application's live
 * object, which may change at any moment; nothing that finds, counts, closes or forgets a socket reads it again.
 */
export interface Identity {
  readonly sessionId: string
  readonly userId: string | undefined
  readonly tokenId: string | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  /** When the person signed in, ms since the epoch, as the session says it. */
  readonly authenticatedAt: number | undefined
  /** A time at which the credential already existed (a JWT's `iat`, a ticket's issue), ms since the epoch. */
  readonly issuedAt: number | undefined
  /** `session:<digest>`, then `user:<digest>` and `token:<digest>` where there are any. */
  readonly keys: IdentityKeys
}

type IdentityKeys = readonly [session: string, ...others: string[]]

/**
 * Asks whoever knew the session whether it still stands: `false`, `null` or `undefined` end it.
 *
 * @param named as its credential named it, where the session may have an id of its own
 */
export type AskAgain = (session: Session, named?: string) => unknown

/** A session as it was accepted: the application's object for its handlers, our copy, and how to ask about it again. */
export interface SignedIn {
  readonly session: Session
  readonly identity: Identity
  /** Travels with the connection. `undefined`: its authenticator has no way to ask, which the start warns about. */
  readonly askAgain: AskAgain | undefined
  /** What `askAgain` is told besides: a function for all sessions, in the place of one for each. */
  readonly named?: string | undefined
}

/** `session:<digest>`: names an identity in maps, stores and envelopes without showing it. */
export function identityKey(kind: IdentityKind, name: string): string {
  // Not put together by a template: a key of a map would keep the parts of it alive besides.
  return [kind, digestOf(name)].join(':')
}

/** SHA-256, base64url: opens nothing. One-to-one for well-formed strings only, and no other becomes an identity. */
export function digestOf(name: string): string {
  return hash('sha256', name, 'base64url')
}

/** A string that can name somebody. Lone surrogates all turn into U+FFFD when hashed: two names would share one digest. */
export function isIdentityName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longestIdentityName && value.isWellFormed()
}

/**
 * Copies who a session belongs to, reading each member once: a getter cannot show one name to the check and another one to
 * the copy. Returns in words why it is not a session.
 */
export function readIdentity(found: unknown, issuedAt?: number): Identity | string {
  if (typeof found !== 'object' || found === null) return `a ${typeof found}`
  const { id, userId, tokenId, expiresAt, authenticatedAt } = found as Record<keyof Session, unknown>
  if (!isIdentityName(id)) return `\`id\` is not a well-formed string of 1 to ${longestIdentityName} characters`
  if (userId !== undefined && !isIdentityName(userId)) return '`userId` is not such a string'
  if (tokenId !== undefined && !isIdentityName(tokenId)) return '`tokenId` is not such a string'
  if (expiresAt !== undefined && !isTime(expiresAt)) return '`expiresAt` is not a number of milliseconds'
  if (authenticatedAt !== undefined && !isTime(authenticatedAt))
    return '`authenticatedAt` is not a number of milliseconds'
  return new CopiedIdentity(id, userId, tokenId, expiresAt, authenticatedAt, issuedAt)
}

let askedLast: { readonly identity: Identity; readonly keys: IdentityKeys } | undefined

class CopiedIdentity implements Identity {
  readonly sessionId: string
  readonly userId: string | undefined
  readonly tokenId: string | undefined
  readonly expiresAt: number | undefined
  readonly authenticatedAt: number | undefined
  readonly issuedAt: number | undefined
  constructor(
    sessionId: string,
    userId: string | undefined,
    tokenId: string | undefined,
    expiresAt: number | undefined,
    authenticatedAt: number | undefined,
    issuedAt: number | undefined,
  ) {
    this.sessionId = sessionId
    this.userId = userId
    this.tokenId = tokenId
    this.expiresAt = expiresAt
    this.authenticatedAt = authenticatedAt
    this.issuedAt = issuedAt
  }

  /**
   * Made when somebody asks: while nobody is revoked, a handshake that is soon over has no use for digests. Only those that were
   * asked for last are kept: a handshake asks several times in a row, and each socket's own would be most of what it keeps of its
   * session.
   */
  get keys(): IdentityKeys {
    if (askedLast?.identity !== this) askedLast = { identity: this, keys: this.#made() }
    return askedLast.keys
  }

  #made(): IdentityKeys {
    const { userId, tokenId } = this
    const session = identityKey('session', this.sessionId)
    const user = userId === undefined ? undefined : identityKey('user', userId)
    // Written out: an array that was added to has room for sixteen more.
    if (tokenId === undefined) return user === undefined ? [session] : [session, user]
    const token = identityKey('token', tokenId)
    return user === undefined ? [session, token] : [session, user, token]
  }
}

/**
 * May `next` take the place of `current` on an open socket? Only as the same person in the same session. The token may be
 * another one: it is what was refreshed.
 */
export function isSameIdentity(current: Identity, next: Identity): boolean {
  return current.sessionId === next.sessionId && current.userId === next.userId
}

function isTime(value: unknown): value is number {
  return Number.isFinite(value)
}
