import type { CloseCode } from '../errors.ts'
import type { Revalidated } from '../revocation/revalidation.ts'
import type { Member } from '../rooms/rooms.ts'
import type { Admitted } from './admitted.ts'
import type { Drained } from './drain.ts'
import type { Keeper } from './memory.ts'
import type { Swept } from './sweep.ts'

/** An open socket as those see it who count it, ask about it and end it: one of ours, or one of another server behind a guard. */
export interface Held extends Member, Revalidated, Drained, Keeper, Swept {
  readonly ended: boolean
  readonly admitted: Admitted
  /** In ms since the epoch. */
  readonly openedAt: number
  /** The same moment on the clock that nobody can set. */
  readonly since: number
  end(code: CloseCode, reason: string, how?: { terminate?: boolean; retryAfter?: number }): void
}
