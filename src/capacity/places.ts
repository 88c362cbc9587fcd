/** Places that few connections take: at the shared store, and in the stead of an older socket. */
export interface FurtherPlaces {
  /** The handshake has become a socket. */
  open(): void
  /** Gives them back. Doing it again does nothing. */
  release(): void
}

/**
 * Everything that one TCP connection has taken of the room of its server. The connection itself is one of these: a place is a field
 * of it, which the owner of that count writes, and clears when it is given back; an object for each was a third of what a
 * handshake made.
 */
export class Places {
  /** The address under which it is one of all connections, as limits count addresses. */
  heldByAddress: string | undefined = undefined
  /** The session under whose cap it is. */
  heldBySession: string | undefined = undefined
  /** The user under whose cap it is. */
  heldByUser: string | undefined = undefined
  further: FurtherPlaces | undefined = undefined
  /** The TCP connection has ended: nothing is taken for it any more, because nobody would give it back. */
  gone = false
}
