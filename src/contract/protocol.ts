import { afterClose } from '../client/after-close.ts'
import { type CloseCode, closeReasons, handshakeRefusals, type MessageRefusalCode } from '../errors.ts'

/** The part of the protocol that is the same on every route, and has no place of its own in AsyncAPI. */
export const ofEveryRoute = {
  why: 'A GET of the address with the header `secure-ws: why` answers why a handshake fails.',
  ping: 'On a channel that takes messages, `{ "type": "ping", "id": ... }` is answered with a reply that has no value.',
  handshakeRefusals: Object.fromEntries(Object.entries(handshakeRefusals).map(([code, { status }]) => [code, status])),
  closeCodes: Object.fromEntries(
    Object.entries(afterClose).map(([code, then]) => [code, { reason: closeReasons[Number(code) as CloseCode], then }]),
  ),
}

/** A message's own name in a conversation (docs/protocol.md). */
export const idSchema = {
  anyOf: [
    { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
    { type: 'string', pattern: '^[\\w.:~+/=@-]{0,64}$' },
  ],
}

const alwaysPossible: readonly MessageRefusalCode[] = ['SWS_INVALID_MESSAGE', 'SWS_TOO_FAST', 'SWS_NO_LISTENER']
const ofOurs: readonly MessageRefusalCode[] = ['SWS_TIMEOUT', 'SWS_INTERNAL']

/** The codes that a message of one type can be refused with. */
export function refusalsOf(rule: {
  readonly authorize: boolean
  readonly replay: unknown
  readonly freshAuth: unknown
}): readonly MessageRefusalCode[] {
  return [
    ...alwaysPossible,
    ...(rule.replay === undefined ? [] : (['SWS_REPLAYED'] as const)),
    ...(rule.freshAuth === undefined ? [] : (['SWS_STEP_UP_REQUIRED'] as const)),
    ...(rule.authorize ? (['SWS_FORBIDDEN'] as const) : []),
    ...ofOurs,
  ]
}
