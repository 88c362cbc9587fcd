import { type CloseCode, closeReasons, handshakeRefusals, type MessageRefusalCode } from '../errors.ts'

/**
 * The meaning of our close codes for a client, as `fastify-secure-ws/client` takes it. A test holds the two tables, and that of
 * docs/protocol.md, against each other: the client has nothing of the server's.
 */
const afterClose: Readonly<Record<CloseCode, 'reconnect' | 'later' | 'sign in' | 'stop'>> = {
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
}

/** The part of the protocol that is the same on every route, and has no place of its own in AsyncAPI. */
export const ofEveryRoute = {
  why: 'A GET of the address with the header `secure-ws: why` answers why a handshake fails.',
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
