import type { CloseCode } from '../errors.ts'

/**
 * The meaning of a closed connection for whoever was connected: come back, come back after a longer pause, come back with a new
 * credential once, or stay away.
 */
export type AfterClose = 'reconnect' | 'later' | 'sign in' | 'stop'

/** The one owner of this table: docs/protocol.md and docs/troubleshooting.md are tested against it. */
export const afterClose = {
  1001: 'reconnect',
  1003: 'stop',
  1007: 'stop',
  1008: 'stop',
  1009: 'stop',
  1011: 'reconnect',
  1012: 'reconnect',
  1013: 'later',
  3000: 'sign in',
  3003: 'stop',
  3008: 'reconnect',
  4429: 'later',
} as const satisfies Readonly<Record<CloseCode, AfterClose>>

/** Nobody has said that it is over: the network, a proxy or a dead process (RFC 6455 section 7.4.1; 1014 is IANA's Bad Gateway). */
export const lost = 1006
const meanings: Readonly<Record<number, AfterClose>> = { ...afterClose, [lost]: 'reconnect', 1014: 'reconnect' }

/**
 * Any other code is one that the application has chosen, or a mistake: who does not know it stays away.
 *
 * @param own meanings of the application's own codes; of ours it says nothing
 */
export function meaningOf(code: number, own: Readonly<Record<number, AfterClose>> = {}): AfterClose {
  return [meanings, own].find((table) => Object.hasOwn(table, code))?.[code] ?? 'stop'
}
