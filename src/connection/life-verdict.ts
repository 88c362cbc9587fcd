import type { CloseCode } from '../errors.ts'

/** What time has decided about a socket. */
export type LifeVerdict =
  | { readonly kind: 'close'; readonly code: CloseCode; readonly reason: string }
  | { readonly kind: 'terminate'; readonly code: CloseCode; readonly reason: string }
  | { readonly kind: 'slow'; readonly reason: string }
  | { readonly kind: 'ping' }
