import type { HandshakeRefusalCode } from '../errors.ts'
import type { Caller } from './caller.ts'

/** A refused handshake as the kit saw it. */
export interface RefusedCaller {
  readonly caller: Caller
  /** The reason of the server's audit event. */
  readonly reason: string | undefined
}

/** A handshake that was refused: the status, and the `code` of the body when it was ours. */
export class HandshakeRefused extends Error {
  /** Always `HandshakeRefused`. */
  override readonly name = 'HandshakeRefused'
  /** The status of the answer. */
  readonly statusCode: number
  /** The `code` of its body, or `undefined` when it was not ours. */
  readonly code: string | undefined
  /** The server's reason, as its audit event has it: no client is told. `undefined` when the answer was not ours. */
  readonly reason: string | undefined

  constructor(statusCode: number, code: string | undefined, refused: RefusedCaller | undefined = undefined) {
    const said = `The handshake was refused: ${statusCode}${code === undefined ? '' : ` ${code}`}.`
    super(refused === undefined ? said : `${said} ${wayOut(code, refused)}`)
    this.statusCode = statusCode
    this.code = code
    this.reason = refused?.reason
  }
}

function wayOut(code: string | undefined, { caller, reason }: RefusedCaller): string {
  const advise: unknown = code !== undefined && Object.hasOwn(advisers, code) ? Reflect.get(advisers, code) : undefined
  const advice =
    typeof advise === 'function'
      ? String(advise(caller))
      : `The answer is not from fastify-secure-ws. Is ${caller.path} the path of a \`{ websocket: true }\` route, declared after the plugin?`
  return reason === undefined ? advice : `The server says: ${reason}. ${advice}`
}

const quota = 'Close what the test has opened (`await using client = ...`), or raise the limit for the test.'

const advisers: Readonly<Record<HandshakeRefusalCode, (caller: Caller) => string>> = {
  SWS_UPGRADE_REQUIRED: () => 'The request was no handshake.',
  SWS_BAD_HANDSHAKE: () => 'Look at the `headers` of the test: one of them breaks the handshake.',
  SWS_NOT_A_SOCKET_ROUTE: ({ path }) =>
    `No socket route has the path ${path}: paths are compared to the letter, and \`app.secureWs.explain()\` lists them.`,
  SWS_INSECURE_TRANSPORT: () => 'Leave `encrypted: false` out, or write `allowInsecureTransport: true` for the route.',
  SWS_HOST_REFUSED: ({ host }) =>
    `The client said Host: ${host}. Write another \`host\`, or list this one in \`hosts\`.`,
  SWS_ORIGIN_REFUSED: ({ origin }) =>
    origin === null
      ? 'The client sent no Origin. Write an `origin` of the route, or `allowMissingOrigin: true` for it.'
      : `The client said Origin: ${origin}. Write an \`origin\` of the route, or list this one in \`origins\`.`,
  SWS_FETCH_METADATA_REFUSED: () =>
    'Leave the `sec-fetch-` lines out of `headers`, or make them those of a page of this site.',
  SWS_TOO_MANY_CONNECTIONS: () =>
    `\`limits.connections\`, \`connectionsPerAddress\`, \`connectionsPerSession\` or \`connectionsPerUser\` is used up. ${quota}`,
  SWS_TOO_MANY_HANDSHAKES: () => `\`limits.handshakesPerMinutePerAddress\` is used up. ${quota}`,
  SWS_UNAUTHENTICATED: ({ session, headers }) =>
    session !== undefined
      ? 'The `session` of the test is none that holds: look at its `id` and its `expiresAt` (milliseconds).'
      : 'cookie' in headers || 'authorization' in headers
        ? 'The credential in `headers` is none that the route accepts. `session: { id, userId }` needs none.'
        : "Write `session: { id: 's1', userId: 'ada' }`, or a credential in `headers`.",
  SWS_FORBIDDEN: () => "The route's `authorize` did not answer `true` to this session: give the test one that may.",
  SWS_HANDSHAKE_TIMEOUT: () => 'A hook, `authenticate` or `authorize` did not answer within `limits.handshake`.',
  SWS_UNAVAILABLE: () => 'A function of the application threw or did not answer: its error is in the log as `err`.',
}
