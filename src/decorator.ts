import type { FastifyRequest } from 'fastify'
import { readHandshake } from './admission/handshake-request.ts'
import type { IssuedTicket } from './authentication/authentication.ts'
import type { HttpSession } from './authentication/http-session.ts'
import type { Capacity } from './capacity/capacity.ts'
import type { Caps } from './capacity/identity-capacity.ts'
import { createDrain, type DrainReport } from './connection/drain.ts'
import type { Held } from './connection/held.ts'
import type { MemoryBudget } from './connection/memory.ts'
import type { Sweep } from './connection/sweep.ts'
import { type Contract, type ContractOptions, describeRoutes } from './contract/contract.ts'
import { badOption, SecureWsError } from './errors.ts'
import { type Policy, policyOf } from './lock/policy.ts'
import type { GuardPolicy } from './options/guard.ts'
import type { Limits } from './options/limits.ts'
import type { Settings } from './options/options.ts'
import type { RoutePolicy } from './options/route.ts'
import type { RemoteSocket } from './remote/order.ts'
import type { Remote } from './remote/remote.ts'
import type { Told } from './remote/remote-sockets.ts'
import type { Kicked } from './remote/whom.ts'
import type { Revoked } from './revocation/revocation.ts'
import type { Audience } from './rooms/audience.ts'
import type { RoomMember } from './rooms/presence.ts'
import type { Session } from './session/session.ts'
import type { Subject } from './session/subject.ts'
import type { Audit, AuditEntry } from './telemetry/audit.ts'
import { type BusHealth, createHealthHandler, type HealthHandler } from './telemetry/health.ts'

/** An open socket, for a "your devices" page. */
export interface SocketDescription {
  /** `socket.id`. */
  readonly id: string
  /** When it opened, in ms since the epoch. */
  readonly since: number
  /** The address that the handshake came from, as `request.ip` had it. */
  readonly address: string | undefined
  /** The route as it was declared, such as `/rooms/:id`. */
  readonly route: string
  /** Its session, as `socket.session` has it. */
  readonly session: Session | null
}

/** A budget of this node. */
export interface Budget {
  /** The part that is used up now. */
  readonly used: number
  /** The limit that was set. */
  readonly limit: number
}

/** The state of this node in numbers, for a gauge. */
export interface Stats {
  /** Open sockets. */
  readonly sockets: number
  /** Rooms with at least one member here. */
  readonly rooms: number
  /** Sockets and running handshakes: what `limits.connections` counts. */
  readonly connections: number
  /** Addresses that hold at least one of them. */
  readonly addresses: number
  /** Sessions that hold a place. */
  readonly sessions: number
  /** Users that hold a place. */
  readonly users: number
  /** Whether this node hears the others; `up` where it is alone. */
  readonly bus: BusHealth
  /** The drain, so far or as it ended; `null` until one has begun. */
  readonly drain: DrainReport | null
  /** The budgets of this node. */
  readonly budgets: {
    /** `limits.connections`. */
    readonly connections: Budget
    /** `limits.memoryBytes`: what waits in the queues of all sockets. */
    readonly memoryBytes: Budget
  }
}

/** The methods of `app.secureWs`. */
export interface SecureWsInstance {
  /** Everybody in a room, on every node. @throws SecureWsError `SWS_BAD_ROOM` */
  to(room: string): Audience
  /**
   * Closes every socket of a session, a user or a token with 3000, on every node, and refuses who comes back with the same
   * credential: for as long as it could live, or until `until` (ms since the epoch), which for a user is a ban.
   * When this resolves, this node has closed its sockets; `stored` says whether the others will learn of it.
   * @throws SecureWsError `SWS_BAD_SUBJECT`; `SWS_BAD_OPTION` for an `until` that does not lie ahead
   */
  revoke(subject: Subject, options?: { readonly until?: number }): Promise<Revoked>
  /**
   * Asks the route's and the rooms' `authorize` again for each socket of a subject, on every node.
   * @throws SecureWsError `SWS_BAD_SUBJECT`
   */
  reauthorize(subject: Subject): void
  /**
   * Takes sockets out of one room, on every node; they stay open, and are told `{ "type": "left", "room" }`. It keeps nobody
   * out: who may come in is what `join(room, { authorize })` asks.
   * @throws SecureWsError `SWS_BAD_SUBJECT`, `SWS_BAD_ROOM`
   */
  kick(whom: Kicked, room: string): Promise<Told>
  /**
   * Closes one socket, on whichever node it is. Default 1000.
   * @throws SecureWsError `SWS_BAD_SUBJECT`; `SWS_BAD_OPTION` for a code that no close frame may carry
   */
  close(socketId: string, code?: number, reason?: string): Promise<Told>
  /**
   * The session of a plain request, by the authenticators of the plugin's own `authenticate`: `null` without a credential,
   * with a wrong one, and when it was revoked.
   * @throws SecureWsError `SWS_UNAVAILABLE` (503) when nobody can tell: the session store failed, or the bus is away.
   */
  session(request: FastifyRequest): Promise<Session | null>
  /**
   * A `preHandler` for plain routes that need a session.
   * @throws SecureWsError `SWS_UNAUTHENTICATED` (401), `SWS_UNAVAILABLE` (503)
   */
  requireSession(request: FastifyRequest): Promise<void>
  /**
   * A one-time ticket for `new WebSocket(url, ['secure-ws', ticket.protocol])`, for the session and the origin of this
   * request and for one `route`. `ttl` is in ms, default 30,000, at most 300,000.
   * @throws SecureWsError `SWS_NO_SESSION` (401), `SWS_UNAVAILABLE` (503); `SWS_BAD_OPTION` without `ticket()` in
   * `authenticate`, or for a wrong `route` or `ttl`
   */
  issueTicket(
    request: FastifyRequest,
    options: { readonly route: string; readonly ttl?: number },
  ): Promise<IssuedTicket>
  /**
   * The members of a room, on every node: one entry per socket. A node that was killed is out of it after 30 seconds at the latest.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  members(room: string): Promise<readonly RoomMember[]>
  /**
   * The open sockets of this node; of one user or session, or all.
   * @throws SecureWsError `SWS_BAD_SUBJECT`
   */
  sockets(of?: { readonly userId?: string; readonly sessionId?: string }): readonly SocketDescription[]
  /**
   * The open sockets of all nodes: each node is asked, and answers about its own.
   * @throws SecureWsError `SWS_UNAVAILABLE` (503) when a node does not answer within 2 seconds: never a list with a gap.
   * `SWS_BAD_SUBJECT`
   */
  allSockets(of?: { readonly userId?: string; readonly sessionId?: string }): Promise<readonly RemoteSocket[]>
  /**
   * Puts the guard in front of another WebSocket server on this HTTP server: its handshakes pass everything that those of
   * a route pass. What ends a socket here (a revocation, say) destroys the stream. Called before the start.
   *
   * @param path of the other server; what stands below it is guarded as well
   * @param policy `secureWs` of a route, without what is about messages
   * @throws SecureWsError `SWS_BAD_OPTION`, `SWS_UNSAFE_OPTIONS`
   */
  guard(path: string, policy?: GuardPolicy): void
  /** The state of this node in numbers. */
  stats(): Stats
  /**
   * A handler for the probe of a load balancer, `app.get('/ready', app.secureWs.health)`: 200 while this node should be sent
   * handshakes, 503 with the reason while it drains, or while the bus is away.
   */
  readonly health: HealthHandler
  /** The policy in force on each route, as plain values without secrets. */
  explain(): readonly object[]
  /**
   * The policy in force on the whole server, schemas included, as plain values without secrets: what `npx fastify-secure-ws lock`
   * compares. Called once the routes are declared.
   */
  policy(): Policy
  /**
   * An AsyncAPI 3 document of every declared route: messages and replies with their schemas, credentials, errors, close codes,
   * limits. It is for those who write a client; who may connect, and from where, is not in it.
   * @throws SecureWsError `SWS_BAD_OPTION` for a `server` that is no URL of a WebSocket server
   */
  contract(options?: ContractOptions): Contract
  /** Closes every socket with 1012, in batches, and admits nobody any more. Resolves when all are gone, with what it did. */
  drain(): Promise<DrainReport>
}

export interface InstanceSurroundings {
  readonly remote: Remote
  readonly sweep: Sweep<Held>
  readonly memory: MemoryBudget
  readonly capacity: Capacity
  readonly caps: Caps
  readonly routes: readonly RoutePolicy[]
  readonly settings: Settings
  readonly limits: Limits
  readonly audit: Audit
  readonly http: HttpSession
  readonly guard: (path: string, policy: GuardPolicy) => void
}

function contractOf(routes: readonly RoutePolicy[], options: ContractOptions): Contract {
  const { server } = options
  if (server !== undefined && !/^wss?:$/.test(URL.parse(server)?.protocol ?? '')) {
    throw badOption('contract.server', server, "Write a URL such as 'wss://api.example'.")
  }
  const own = routes.filter(({ passesOn }) => passesOn !== true)
  const described = describeRoutes(
    own.map((route) => route.describe()),
    options,
  )
  // By way of JSON, as `explain`: whatever the document is written to or compared with gets nothing of ours.
  return JSON.parse(JSON.stringify(described))
}

export function createInstance(surroundings: InstanceSurroundings) {
  const { remote, sweep, memory, capacity, caps, routes, settings, limits, audit, http, guard } = surroundings
  const drain = createDrain({ limits: limits.drain, connections: () => sweep.items, report: drained })

  function drained({ closed, cut, durationMs }: DrainReport): void {
    const reason = cut > 0 ? `${cut} cut at the deadline (limits.drain.deadline)` : undefined
    audit({ type: 'server.drained', count: closed, durationMs, reason })
  }

  function stats(): Stats {
    const counts = capacity.counts()
    return {
      sockets: sweep.size,
      rooms: remote.rooms.size,
      ...counts,
      ...caps.counts(),
      bus: remote.busHealth,
      drain: drain.report,
      budgets: {
        connections: { used: counts.connections, limit: limits.connections },
        memoryBytes: { used: Math.round(memory.used), limit: limits.memoryBytes },
      },
    }
  }

  const api: SecureWsInstance = {
    to: (room) => remote.audience([room]),
    async revoke(subject, { until } = {}) {
      const since = performance.now()
      const revoked = await remote.revocation.revoke(subject, until)
      audit({
        type: 'session.revoked',
        ...whoseOf(subject),
        count: revoked.closed,
        durationMs: Math.round(performance.now() - since),
        ...(!revoked.stored && { reason: 'known to this node alone: the store has not taken it' }),
      })
      return revoked
    },
    reauthorize(subject) {
      const count = remote.revocation.reauthorize(subject)
      audit({ type: 'session.reauthorized', ...whoseOf(subject), count })
    },
    async kick(whom, room) {
      const told = await remote.sockets.kick(whom, room)
      audit({ type: 'room.kicked', ...whoseOf(whom), socket: whom.socket, room, ...resultOf(told) })
      return told
    },
    async close(socketId, code = 1000, reason = '') {
      const told = await remote.sockets.close(socketId, code, reason)
      audit({ type: 'socket.dismissed', socket: socketId, code, ...resultOf(told) })
      return told
    },
    allSockets: (of = {}) => remote.sockets.list(of),
    members: (room) => remote.members(room),
    session: (request) => http.session(request),
    async requireSession(request) {
      if ((await http.session(request)) === null) throw new SecureWsError('SWS_UNAUTHENTICATED', 'Nobody is signed in.')
    },
    async issueTicket(request, { route, ttl }) {
      const { issueTicket } = settings.authentication
      if (issueTicket === undefined) {
        throw badOption(
          'authenticate',
          'without ticket()',
          'Add ticket() to the list: authenticate: [ticket(), cookieSession({ ... })].',
        )
      }
      // From the header lines: `headers` joins two Origins and inherits from a polluted prototype.
      const { origin } = readHandshake(request.raw, { trusted: false, address: undefined })
      const issued = await http.issueTicket(issueTicket, request, {
        origin: origin ?? null,
        route,
        ...(ttl === undefined ? {} : { ttl }),
      })
      audit({ type: 'ticket.issued', route, origin })
      return issued
    },
    sockets: ({ userId, sessionId } = {}) => {
      const found =
        userId !== undefined
          ? remote.revocation.socketsOf({ userId })
          : sessionId !== undefined
            ? remote.revocation.socketsOf({ sessionId })
            : [...sweep.items]
      // One that was told to go may take its time to answer; it is nobody's device any more.
      const open = found.filter(({ ended }) => !ended)
      return open.map(({ id, openedAt, session, admitted }) => ({
        id,
        since: openedAt,
        address: admitted.address,
        route: admitted.policy.route,
        session,
      }))
    },
    guard: (path, policy = {}) => guard(path, policy),
    stats,
    health: createHealthHandler(() => ({ drain: drain.report, bus: remote.busHealth })),
    // By way of JSON: a copy, without members that say nothing, and certain to be plain.
    explain: () => routes.map((route): object => JSON.parse(JSON.stringify(route.explain()))),
    policy: () => policyOf(routes, settings),
    contract: (options = {}) => contractOf(routes, options),
    drain: () => drain.start(),
  }

  return {
    api,
    /** Why nobody (who needs a session) is admitted right now. */
    unavailable(needsSession: boolean): string | undefined {
      if (drain.started) return 'draining'
      if (memory.isNearlyUsed) return 'too much waits for clients that read slowly (limits.memoryBytes)'
      return needsSession ? remote.unjudgeable : undefined
    },
  }
}

interface Named {
  readonly sessionId?: string
  readonly userId?: string
  readonly tokenId?: string
}

/** Those whom a call is about, as an event has them. */
function whoseOf({ sessionId, userId, tokenId }: Named): Pick<AuditEntry, 'sessionId' | 'user' | 'tokenId'> {
  return { sessionId, user: userId, tokenId }
}

function resultOf({ here, told }: Told): Pick<AuditEntry, 'count' | 'reason'> {
  return { count: here, ...(!told && { reason: 'known to this node alone: the bus has not taken it' }) }
}
