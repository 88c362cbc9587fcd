import { SecureWsError } from '../errors.ts'
import type { Denial } from './denials.ts'
import { isIdentityName } from './identity.ts'

/** Whose sockets: exactly one of the three. */
export type Subject =
  | { readonly sessionId: string; readonly userId?: never; readonly tokenId?: never }
  | { readonly userId: string; readonly sessionId?: never; readonly tokenId?: never }
  | { readonly tokenId: string; readonly sessionId?: never; readonly userId?: never }

/** The kind and the name of a subject. @throws SecureWsError `SWS_BAD_SUBJECT` */
export function checkSubject(subject: Subject): [kind: Denial['kind'], name: string] {
  const given = Object.entries({ session: subject?.sessionId, user: subject?.userId, token: subject?.tokenId }).filter(
    (entry): entry is [Denial['kind'], string] => entry[1] !== undefined,
  )
  const [only] = given
  if (only === undefined || given.length > 1 || !isIdentityName(only[1])) {
    throw new SecureWsError(
      'SWS_BAD_SUBJECT',
      'Name one of { sessionId }, { userId } or { tokenId }, as a well-formed string of 1 to 512 characters.',
    )
  }
  return only
}
