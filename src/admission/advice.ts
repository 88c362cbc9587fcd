import { isLoopbackAddress } from '../http/address.ts'
import { isLoopbackHost } from '../http/authority.ts'
import type { Refusal } from '../http/refusal.ts'
import { quoted } from '../telemetry/quoted.ts'
import type { HandshakeFacts } from './handshake-request.ts'
import { effectiveHost } from './reached.ts'

/** Everything around a refusal that changes what its developer should do. Plain values: whoever asks has read them. */
export interface Situation {
  readonly facts: HandshakeFacts
  /** Names of the route's authenticators, in their order; none on a path that is no socket route. */
  readonly methods: readonly string[]
  /** Browsers attach one of their credentials by themselves, so options that admit any page fail with it. */
  readonly ambient: boolean
  /** The credentials that the authenticators look for, in words of theirs. */
  readonly looksFor: readonly string[]
  /** Fastify's `trustProxy` trusts the other end of the connection. */
  readonly peerIsTrusted: boolean
  readonly hasForwardedFor: boolean
  /** The other end is a process on this machine that came by a file: it has no address. */
  readonly unixSocket: boolean
}

export type Refused = Pick<Refusal, 'code' | 'status' | 'reason' | 'advice' | 'answered' | 'forgottenBy'>

/**
 * The way out of a refusal, for the log of a developer: never for the client. Holds our own words, and of what the client
 * wrote only what passed a grammar or was quoted. Never names an option that then fails with `SWS_UNSAFE_OPTIONS`.
 */
export function adviceOn(refused: Refused, situation: Situation): string {
  return advisers[refused.code](refused, situation)
}

type Adviser = (refused: Refused, situation: Situation) => string

const advisers: Readonly<Record<Refusal['code'], Adviser>> = {
  SWS_UPGRADE_REQUIRED: (_refused, { facts }) =>
    facts.key !== undefined || facts.version !== undefined
      ? `The request has the headers of a WebSocket and no \`Upgrade\`: a proxy in between took it away. ${upgradeLines}`
      : 'This was a plain request of a socket route. Open it with a WebSocket client: `new WebSocket(url)` in a page, `npx wscat -c <url>` in a terminal. To answer plain requests at the same path, declare the route with `handler` and `wsHandler`.',
  SWS_BAD_HANDSHAKE: badHandshake,
  SWS_NOT_A_SOCKET_ROUTE: ({ advice }) =>
    advice ??
    'No route has this path. Paths are compared to the letter: upper and lower case, and a slash at the end, count.',
  SWS_INSECURE_TRANSPORT: insecureTransport,
  SWS_HOST_REFUSED: hostRefused,
  SWS_ORIGIN_REFUSED: originRefused,
  SWS_FETCH_METADATA_REFUSED: ({ reason }) =>
    `The browser says that this request comes from elsewhere than its Origin may (${quoted(reason, 120)}). Open the socket from a page of an origin in \`origins\`.`,
  SWS_TOO_MANY_CONNECTIONS: tooMany,
  SWS_TOO_MANY_HANDSHAKES: tooMany,
  SWS_UNAUTHENTICATED: unauthenticated,
  SWS_FORBIDDEN: ({ reason, answered }) =>
    answered === undefined
      ? `${quoted(reason, 200)}. What a check threw is in the log as \`err\`.`
      : answered === 'false'
        ? `${quoted(reason, 200)} to this session: it returned false.`
        : `${quoted(reason, 200)}: it returned ${answered}, and only \`true\` admits. An arrow function with braces needs a \`return\`.`,
  SWS_HANDSHAKE_TIMEOUT: ({ reason }) =>
    `${quoted(reason, 120)}. A hook, \`authorize\`, \`origins\` or \`verifyClient\` did not answer: give what it calls a shorter deadline, or raise \`limits.handshake\`.`,
  SWS_UNAVAILABLE: ({ reason }) =>
    `${quoted(reason, 200)}. Nobody is let in meanwhile. The cause is in the log as \`err\`, where something threw; the client may come back with the same credential.`,
}

const upgradeLines =
  'nginx needs, for this path, `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`.'

/** Names that libraries offer by themselves. */
const publicProtocols: ReadonlySet<string> = new Set([
  ...['graphql-transport-ws', 'graphql-ws', 'mqtt', 'mqttv3.1', 'v10.stomp', 'v11.stomp', 'v12.stomp', 'wamp.2.json'],
  ...[
    'wamp.2.msgpack',
    'ocpp1.6',
    'ocpp2.0.1',
    'soap',
    'xmpp',
    'sip',
    'chat',
    'json',
    'actioncable-v1-json',
    'vite-hmr',
  ],
])

/** A sub-protocol that was offered where none is declared: admitted, and then ended by every browser. */
export function undeclaredProtocol(offered: readonly string[]): string {
  // A credential may have travelled there, and may be short: only what everybody knows is repeated.
  const shown = offered.filter((name) => publicProtocols.has(name)).map((name) => `'${name}'`)
  const list = shown.length === 0 ? "'...'" : shown.slice(0, 3).join(', ')
  return `The client offered a sub-protocol (${list}), and the route declares none: a browser ends a connection whose offer was not answered. Write \`secureWs: { protocols: [${list}] }\`, or offer nothing.`
}

function badHandshake({ reason, advice }: Refused, { facts, peerIsTrusted }: Situation): string {
  if (advice !== undefined) return advice
  if (facts.host === undefined && (facts.forwarded || peerIsTrusted))
    return `The proxy in front dropped the \`Host\` header. ${hostLines}`
  if (facts.upgrade === undefined && facts.key !== undefined)
    return `A proxy took the \`Upgrade\` header away. ${upgradeLines}`
  return `This is no handshake as RFC 6455 section 4.2.1 has it: ${quoted(reason, 120)}.`
}

const hostLines = 'nginx needs `proxy_set_header Host $http_host;`; others may send `X-Forwarded-Host`.'

function insecureTransport(_refused: Refused, situation: Situation): string {
  const { facts, peerIsTrusted, unixSocket, methods } = situation
  const peer = facts.peerAddress ?? 'unknown'
  if (unixSocket) {
    return 'This server listens on a unix socket, whose other end has no address, so no address in `trustProxy` can mean it. Write `Fastify({ trustProxy: true })` if nobody but your proxy can open that file, and let the proxy send `X-Forwarded-Proto` and `X-Forwarded-For`.'
  }
  if (facts.forwarded && !peerIsTrusted) {
    return `A proxy passed this on, and \`trustProxy\` does not trust it. If it ended TLS, name its address in Fastify's \`trustProxy\`, \`Fastify({ trustProxy: '${peer}' })\`, and let it send \`X-Forwarded-Proto\`.`
  }
  if (facts.forwardedProto !== undefined)
    return 'The trusted proxy says that the client came over plain http. Serve https there, and send http on to it.'
  if (facts.forwarded || (peerIsTrusted && !isLoopbackAddress(facts.peerAddress))) {
    return `The proxy at ${peer} is trusted and does not say how the client came. Let it send \`X-Forwarded-Proto\`: nginx needs \`proxy_set_header X-Forwarded-Proto $scheme;\`.`
  }
  const cookies = methods.includes('cookieSession')
    ? ' The session cookie is `Secure`: without TLS, browsers send it to localhost only.'
    : ''
  if (isLoopbackHost(effectiveHost(facts)) && !isLoopbackAddress(facts.peerAddress)) {
    return `Plain ws:// is admitted from this machine to itself, and the other end of the connection was ${peer}, which is not loopback: a published port of a container (Docker) looks like this. For development write \`allowInsecureTransport: process.env.NODE_ENV !== 'production'\`; in production end TLS at a proxy that \`trustProxy\` names.`
  }
  if (isLoopbackAddress(facts.peerAddress)) {
    return `Plain ws:// is admitted under the names localhost, 127.0.0.1 and [::1] only. Open the page at http://localhost, or serve TLS.${cookies}`
  }
  return `Serve TLS, or end it at a proxy that \`trustProxy\` names; the other end was ${peer}. \`allowInsecureTransport: true\` gives encryption up.${cookies}`
}

function hostRefused({ advice }: Refused, { facts, peerIsTrusted }: Situation): string {
  const add = advice ?? 'Add the name of this server to `hosts`.'
  if (!facts.forwarded && !peerIsTrusted) return add
  if (facts.forwardedHost !== undefined) return add
  return `If a proxy in front replaced the \`Host\` that the client asked for, let it pass it on: ${hostLines} ${add}`
}

function originRefused({ advice }: Refused, situation: Situation): string {
  const { facts, ambient, peerIsTrusted, methods } = situation
  if (facts.originRepeated) return 'The request has two `Origin` headers; something in between added one.'
  if (facts.origin === undefined) {
    const send =
      "send the origin of your page: `npx wscat -c <url> --origin <origin>`, `new WebSocket(url, { origin })` of ws, `origin=` of Python's websockets"
    if (!ambient)
      return `The client sends no \`Origin\`, as programs do. Set \`allowMissingOrigin: true\` on the route that programs use, or ${send}.`
    return `The client sends no \`Origin\`, as programs do; ${methods.join(', ')} lets in only who says where they come from, because browsers attach its credential for any page. So ${send}; or give programs a route of their own that authenticates with \`bearer\`.`
  }
  if (facts.origin === 'null')
    return 'Sandboxed frames, data: and file: pages send `Origin: null`, so any page can. Open the page over http://localhost or https.'
  const host = effectiveHost(facts)
  if ((facts.forwarded || peerIsTrusted) && facts.forwardedHost === undefined && isLoopbackHost(host)) {
    return `The proxy in front passes on \`Host: ${host?.name}\` instead of the name that the client asked for, so no origin can be the same. ${hostLines}`
  }
  return advice ?? 'If this page is yours, list its origin in `origins`, exactly as the browser sends it.'
}

function tooMany({ reason, code, status }: Refused, { facts, peerIsTrusted, hasForwardedFor }: Situation): string {
  const peer = facts.peerAddress ?? 'unknown'
  const perAddress = code === 'SWS_TOO_MANY_HANDSHAKES' || /address/.test(reason)
  if (perAddress && peerIsTrusted && !hasForwardedFor) {
    return `The proxy at ${peer} is trusted and sends no \`X-Forwarded-For\`, so all of its clients count as one address. nginx needs \`proxy_set_header X-Forwarded-For $remote_addr;\`.`
  }
  if (perAddress && facts.forwarded && !peerIsTrusted) {
    return `A proxy at ${peer} passed this on, and \`trustProxy\` does not trust it, so all of its clients count as one address. Write \`Fastify({ trustProxy: '${peer}' })\`.`
  }
  if (code === 'SWS_TOO_MANY_HANDSHAKES' && /refused/.test(reason))
    return `${quoted(reason, 120)}. The events before this one say why it was refused; the limit is \`limits.refusedPerMinutePerAddress\`.`
  if (code === 'SWS_TOO_MANY_HANDSHAKES')
    return `${quoted(reason, 120)}. The limit is \`limits.handshakesPerMinutePerAddress\`; a client that reconnects without a pause meets it first.`
  if (status === 503) return 'The server is full: `limits.connections`.'
  const limit = perAddress
    ? 'connectionsPerAddress'
    : /user/.test(reason)
      ? 'connectionsPerUser'
      : 'connectionsPerSession'
  return `${quoted(reason, 120)}. The limit is \`limits.${limit}\`; does the page close the sockets that it leaves behind?`
}

function unauthenticated({ reason, forgottenBy }: Refused, { looksFor, methods }: Situation): string {
  if (forgottenBy !== undefined) {
    return `The credential is good, and \`load\` of ${forgottenBy} knows no session for it: the store has forgotten it, as one in memory does at each restart. Sign in again, or keep sessions where they outlive the process.`
  }
  if (!/no known credential/.test(reason)) return `${quoted(reason, 200)}.`
  const wanted = looksFor.length === 0 ? `what ${methods.join(', ')} reads` : looksFor.join('; or ')
  return `The request carries no credential. \`authenticate\` looks for ${wanted}.`
}
