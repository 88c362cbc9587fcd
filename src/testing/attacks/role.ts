import type { Session } from '../../session/session.ts'

/** Somebody who uses the application, as `attacks` plays them. */
export interface Role {
  /** The session to have, whatever the application's authenticators are. Default: none. */
  readonly session?: Session
  /** The credential that this role shows instead: `cookie`, `authorization` and the like. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
  /** Sub-protocols to offer. Default: none. */
  readonly protocols?: readonly string[]
  /** The `Origin`; `null` sends none. Default: an origin that the route admits. */
  readonly origin?: string | null
  /** The path of this role, where it has one of its own (`/rooms/7`). Default: that of `attacks`. */
  readonly path?: string
  /** Types of messages that this role may send. Default: nothing is said, and no delivered message is a hole. */
  readonly may?: readonly string[]
  /** Paths that belong to somebody else: this role must not get in. Default: none. */
  readonly foreignPaths?: readonly string[]
  /** Messages, with their `type`, about what belongs to somebody else. Default: none. */
  readonly foreignMessages?: readonly { readonly type: string; readonly [member: string]: unknown }[]
  /** A credential of the same person that is no good any more. Default: none is tried; an expired `session` is made by itself. */
  readonly expired?: Readonly<Record<string, string>>
  /** A credential of the same person, who signed in long ago, for types that need a fresh one. Default: made of `session`. */
  readonly stale?: Readonly<Record<string, string>>
  /** Signs the role out, as your application does it. Default: `revoke` of a copy of `session`. */
  readonly signOut?: () => unknown
}

/** Whether a page in a browser can make its visitor show this credential: cookies and HTTP Basic go along by themselves. */
export function isAmbient({ headers, session }: Role, routeIsAmbient: boolean | undefined): boolean {
  if (session !== undefined) return routeIsAmbient !== false
  const names = new Map(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  if (names.size === 0) return routeIsAmbient !== false
  return names.has('cookie') || /^basic /i.test(names.get('authorization') ?? '')
}

export function hasCredential({ session, headers, protocols }: Role): boolean {
  return session !== undefined || Object.keys(headers ?? {}).length > 0 || (protocols?.length ?? 0) > 0
}
