import type { Identities } from '../revocation/identities.ts'
import type { Revalidation } from '../revocation/revalidation.ts'
import type { Recipient } from '../rooms/audience.ts'
import type { Rooms } from '../rooms/rooms.ts'
import type { Identity } from '../session/identity.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { Observer } from '../telemetry/observer.ts'
import type { Held } from './held.ts'
import type { MemoryBudget } from './memory.ts'
import type { Scope } from './scope.ts'
import type { Sweep } from './sweep.ts'

/** What the sockets of one server share. */
export interface Surroundings {
  /** Milliseconds since the epoch: for what others date (`expiresAt`, `at`, `authenticatedAt`), and for nothing else. It can be set. */
  readonly now: () => number
  /** Milliseconds on a clock that nobody can set: for every duration, and for what came before what in this process. */
  readonly uptime: () => number
  /** The async context of whatever ws, a stream or a timer makes this package do. */
  readonly scope: Scope
  readonly audit: Audit
  /** Whether anybody hears events: a join must not make one for nobody. */
  readonly isHeard: () => boolean
  /** Watches messages, where somebody measures them. */
  readonly observer: () => Observer | undefined
  readonly expiryGrace: number
  readonly rooms: Rooms<Recipient>
  readonly identities: Identities<Held>
  readonly sweep: Sweep<Held>
  /** Told of every byte that stays. */
  readonly memory: Pick<MemoryBudget, 'add'>
  /** Asked after the identity rooms were joined: a revocation from during the handshake, which began at `since`, is found here. */
  readonly isDenied: (identity: Identity, since: number) => boolean
  readonly revalidation: Revalidation
  /** Were this identity's rights changed since a handshake began at `since`? */
  readonly isStale: (identity: Identity, since: number) => boolean
}
