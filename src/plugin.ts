import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { answersPlainly, EarlyRefusal } from './admission/early-refusal.ts'
import { createEnforcement } from './admission/enforcement.ts'
import { createGuard, isUnixSocket } from './admission/hook.ts'
import { createAnnouncer } from './admission/refused.ts'
import { registerHelmet } from './admission/security-headers.ts'
import { neutralProtocol } from './admission/sub-protocol.ts'
import { compileVerifyClient } from './admission/verify-client.ts'
import { refuseTicketAlone } from './authentication/authentication.ts'
import { createHttpSession } from './authentication/http-session.ts'
import { createCapacity } from './capacity/capacity.ts'
import { createCaps } from './capacity/identity-capacity.ts'
import { GuardedStream } from './connection/guarded-stream.ts'
import type { Held } from './connection/held.ts'
import { MemoryBudget } from './connection/memory.ts'
import { Scope } from './connection/scope.ts'
import type { Surroundings } from './connection/surroundings.ts'
import { createSweep } from './connection/sweep.ts'
import { createInstance } from './decorator.ts'
import { SecureWsError } from './errors.ts'
import { createReplayGuard } from './inbound/replay.ts'
import { refuseSecondCopy } from './loading/copies.ts'
import { lazyLoad } from './loading/lazy-load.ts'
import { createNode } from './node.ts'
import { compileGuard, type GuardPolicy } from './options/guard.ts'
import type { Limits } from './options/limits.ts'
import { refuseMisplaced } from './options/misplaced.ts'
import { resolveOptions, type SecureWsOptions } from './options/options.ts'
import { compileRoute, loosenedBy, type RoutePolicy, type RouteSurroundings, refuseHijacking } from './options/route.ts'
import { requireHttp1, requireNode } from './options/surroundings.ts'
import { createIdentities } from './revocation/identities.ts'
import { createRevalidation } from './revocation/revalidation.ts'
import { createSanitizer } from './sanitizing/sanitizing.ts'
import { type Audit, createAudit, createHearing } from './telemetry/audit.ts'
import { createDeveloperLog, stderrUnlessLogged } from './telemetry/developer-log.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createThrownLog } from './telemetry/thrown.ts'
import { addTestDoor } from './test-door.ts'
import { noteGuarded } from './ws/declared-routes.ts'
import { Guards } from './ws/guards.ts'
import { attended, isSocketHandler } from './ws/handler.ts'
import { requireKnownWs } from './ws/known-ws.ts'
import { claimServer, refuseOtherRegistrations, refuseUnguarded } from './ws/one-per-server.ts'
import { registerWebsocket } from './ws/registration.ts'
import { secureSockets } from './ws/socket.ts'
import { socketId } from './ws/socket-id.ts'
import { upgradedBy } from './ws/upgraded-stream.ts'
import { UpgradedStreams } from './ws/upgraded-streams.ts'

/** Where a route's finished policy is kept: on Fastify's own route config, one object per declared route. */
export const policyKey = Symbol('fastify-secure-ws.policy')

/** Loaded where it is registered: an application that has its own does not wait for it. */
const cookiePlugin = lazyLoad<typeof import('@fastify/cookie')>('@fastify/cookie')

/** Marks a route where the application has no answer for a plain request. */
const socketOnlyKey = Symbol('fastify-secure-ws.socket-only')

/**
 * The plugin: `await app.register(secureWs, options)`. Every `{ websocket: true }` route that is declared below the registration
 * is a secure one.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`, `SWS_UNSAFE_OPTIONS`, `SWS_WEBSOCKET_ALREADY_REGISTERED`, `SWS_UNSUPPORTED`,
 *   `SWS_UNSUPPORTED_WS`, `SWS_LOADED_TWICE`; routes throw the first two where they are declared, and the start throws
 *   `SWS_UNGUARDED_ROUTE`, `SWS_BUNDLED`
 */
// The order below matters: our `onRoute` before that of @fastify/websocket, which swallows the handler; our drain before its
// `preClose`, which cuts without a code; our guard after its `onRequest`, which says what is an upgrade.
async function secureWs(app: FastifyInstance, options: SecureWsOptions): Promise<void> {
  requireNode(process.versions.node)
  refuseSecondCopy()
  requireHttp1({ initialConfig: app.initialConfig, className: app.server.constructor.name })
  refuseOtherRegistrations(app)
  await requireKnownWs()
  // Called through its object each time: a test may stop or move the date.
  const now = () => Date.now()
  const settings = resolveOptions(options, now())
  const { limits } = settings
  refuseTicketAlone(settings.authentication, 'authenticate')
  const enforcement = createEnforcement(settings.enforce, now)
  refuseHijacking(
    { admission: settings.admissionPolicy, enforcement, authentication: settings.authentication },
    settings.dangerouslyAllowAmbientCredentials,
    '',
  )

  const uptime = () => performance.now()
  const metrics = createMetrics()
  const heard = { logger: app.log, listener: settings.audit, metrics }
  const audit = createAudit(heard)
  const isHeard = createHearing(heard)
  const development = process.env.NODE_ENV !== 'production'
  const thrown = createThrownLog(app.log, development ? stderrUnlessLogged(app.log) : undefined)
  const tell = createDeveloperLog({ logger: app.log, development })
  const sanitizer = createSanitizer(settings.sanitize, (reason, code) =>
    audit({ type: 'output.refused', code, reason }),
  )
  const identities = createIdentities<Held>()
  const routes: RoutePolicy[] = []
  /** The most that any route allows. */
  let { messageBytes } = limits
  const socketRoutes: string[] = []
  /** They matter once a route declares HTML. */
  const senders = { matter: false, as: sanitizer.as }
  const capacity = createCapacity(limits)
  const streams = new UpgradedStreams({
    deadline: limits.handshake,
    most: limits.connections,
    now: uptime,
    apart: (work) => scope.run(work),
    report: (end) => audit({ type: 'handshake.refused', ...end }),
    release(places) {
      capacity.release(places)
      caps.release(places)
    },
    refuse: (raw) => (settings.earlyRefusal ? early.refuse(raw) : undefined),
  })

  const revalidation = createRevalidation(settings.session.revalidateEvery)
  const node = createNode({
    bus: settings.bus,
    now,
    uptime,
    audit,
    log: app.log,
    identities,
    maxAge: settings.session.maxAge,
    revalidation,
    roomsPerSocket: limits.roomsPerSocket,
    senders: {
      current: () => sanitizer.sender(),
      as: (name, work) => (senders.matter ? senders.as({ name }, work) : work()),
    },
    sockets: () => sweep.items,
  })
  const { rooms } = node
  const replayGuard = node.sharedReplayGuard(createReplayGuard())
  const scope = new Scope()
  const memory = new MemoryBudget({
    limit: limits.memoryBytes,
    keepers: () => sweep.items,
    uptime,
    overloaded(count, bytes) {
      const reason = `${bytes} of ${limits.memoryBytes} bytes waited (limits.memoryBytes): the largest were closed`
      audit({ type: 'server.overloaded', count, reason })
    },
  })
  const eachRound = () => {
    memory.measure()
    identities.settle(settledEachRound)
    for (const { member, room } of rooms.expire(now())) {
      try {
        member.leftRoom(room)
      } catch (error) {
        member.failed(error)
      }
    }
  }
  const sweep = createSweep<Held>(sweepEvery(limits, settings.session.revalidateEvery), uptime, eachRound, (work) =>
    scope.run(work),
  )
  const caps = createCaps({ whenFull: settings.session.whenFull, identities, leases: node.leases })
  const http = createHttpSession({
    authentication: settings.authentication,
    deadline: limits.handshake,
    unjudgeable: () => node.unjudgeable,
    isDenied: node.isDenied,
    uptime,
    thrown,
  })
  const instance = createInstance({
    node,
    sweep,
    memory,
    capacity,
    caps,
    routes,
    settings,
    limits,
    audit,
    http,
    guard: declareGuard,
  })

  if (!app.hasPlugin('@fastify/cookie')) await app.register(cookiePlugin(), settings.cookie)
  const securityHeaders = await registerHelmet(app, settings.helmet)
  await settings.authentication.install(app)

  const announcer = createAnnouncer({
    isHeard: () => development || isHeard(),
    audit,
    tell,
    thrown,
    log: app.log,
  })
  const early = new EarlyRefusal({
    capacity,
    uptime,
    now,
    announcer,
    securityHeaders: securityHeaders.lines,
    unixSocket: () => isUnixSocket(app.server),
  })
  const guards = new Guards({
    app,
    left: settings.dangerouslyLeaveUpgrades,
    marker: neutralProtocol,
    credentialsOf: (request, offered) => policyOf(request)?.authentication.credentialProtocols(offered) ?? [],
    admitted: (stream) => streams.open(stream),
    opened: (stream, admitted) => new GuardedStream(socketId, stream, admitted, ofSockets),
    nobody: (request, reply) => nobodyBehind(request, reply),
  })
  const ofRoutes: RouteSurroundings = {
    settings,
    now,
    replayGuard,
    sanitizeHtml: (dirty) => sanitizer.sanitize(dirty),
    sanitizeOutput: (dirty) => sanitizer.sanitizeOutput(dirty),
    senders,
    warn: (text) => app.log.warn(text),
  }
  app.addHook('onRoute', (route) => {
    const declared: DeclaredRoute = route
    const isSocketRoute = Boolean(declared.websocket) || declared.wsHandler !== undefined
    refuseMisplaced(route, route.url, isSocketRoute)
    noteGuarded(app, route)
    if (route.method !== 'HEAD' && !isSocketRoute) early.declare(route.url, undefined)
    if (!isSocketRoute) {
      if (Reflect.get(route.config ?? {}, policyKey) !== undefined) securityHeaders.onRoute(route)
      if (declared.secureWs === undefined) return
      throw new SecureWsError(
        'SWS_BAD_OPTION',
        `fastify-secure-ws: route ${route.url} has \`secureWs\` options and is no WebSocket route. Add \`websocket: true\`.`,
      )
    }
    if (route.method === 'HEAD') return
    route.preHandler = [
      ...[route.preHandler ?? []].flat(),
      (request, reply, done) => recheckBeforeUpgrade(request, reply, done),
    ]
    const policy = compileRoute(route.url, declared.secureWs, ofRoutes)
    routes.push(policy)
    messageBytes = Math.max(messageBytes, policy.socket.limits.messageBytes)
    socketRoutes.push(route.url)
    senders.matter ||= policy.declaresHtml
    route.config = { ...route.config, [policyKey]: policy, [socketOnlyKey]: Boolean(declared.websocket) }
    early.declare(route.url, answersPlainly(route) ? policy : undefined)
    securityHeaders.onRoute(route)
    const member = declared.websocket ? 'handler' : 'wsHandler'
    const handler = declared[member]
    // What is no function is @fastify/websocket's to refuse.
    if (isSocketHandler(handler)) {
      declared[member] = attended(handler, settings.websocket.errorHandler !== undefined, (socket) =>
        sockets.connectionOf(socket),
      )
    }
  })

  app.addHook('preClose', async () => void (await instance.api.drain()))

  const ofSockets: Surroundings = {
    now,
    uptime,
    scope,
    audit,
    isHeard,
    expiryGrace: settings.session.expiryGrace,
    rooms,
    identities,
    sweep,
    memory,
    isDenied: node.isDenied,
    isStale: node.isStale,
    revalidation,
  }
  const sockets = secureSockets({
    take: (stream) => streams.open(stream),
    to: (connection, room) => node.audience([room], [connection.id]),
    room: (room) => node.audience([room]),
    surroundings: ofSockets,
  })
  const upgrades = await registerWebsocket(app, {
    given: settings.websocket,
    sockets,
    around(raw, stream, head, route) {
      guards.paths.note(raw, head)
      streams.take(raw, stream, head, route)
    },
    left: settings.dangerouslyLeaveUpgrades,
    guarded: guards.paths.all,
    protocolOf: (request) => upgradedBy(request)?.admitted?.protocol,
    // The bound of what is inflated, which ws takes from here for every socket; each receiver has the one of its route besides.
    maxPayload: () => messageBytes,
  })
  function declareGuard(path: string, policy: GuardPolicy): void {
    guards.declare(path, recheckBeforeUpgrade, upgrades, () => {
      const compiled = compileGuard(path, policy, ofRoutes)
      routes.push(compiled)
      return { [policyKey]: compiled }
    })
  }
  app.addHook('preClose', async () => {
    upgrades.leave()
    streams.close()
  })

  const { guard, recheckBeforeUpgrade, nobodyBehind } = createGuard({
    uptime,
    announcer,
    audit,
    thrown,
    seen: (request) => early.learn(request),
    policyOf,
    policies: routes,
    isSocketOnly: (request) => Reflect.get(request.routeOptions.config, socketOnlyKey) === true,
    capacity,
    caps,
    sharedRate: node.sharedRate(limits.handshakesPerMinutePerAddress),
    streams,
    verifyClient: compileVerifyClient(settings.websocket.options?.verifyClient),
    unavailable: (needsSession) => instance.unavailable(needsSession),
    isDenied: node.isDenied,
    tell,
    headersOnRefusal: securityHeaders.onRefusal,
  })
  app.addHook('onRequest', guard)
  app.decorate('secureWs', instance.api)
  claimServer(app)
  addTestDoor(app.server, instance.api.explain)

  app.addHook('onReady', async () => {
    refuseSecondCopy()
    refuseUnguarded(app)
    guards.start(socketRoutes)
    upgrades.lock()
    // Before the first client: the first document would wait for it, or be refused because nothing here can clean.
    if (senders.matter) await sanitizer.start()
    await node.start()
    metrics?.observe(() => instance.api.stats())
    warnOnce(app, audit, [
      ...loosenedBy(settings.admissionPolicy, settings.authentication, settings.encode),
      ...enforcement.loosened,
      ...(settings.dangerouslyAllowAmbientCredentials
        ? ['dangerouslyAllowAmbientCredentials: true (any page that may connect may use the visitor)']
        : []),
      ...settings.dangerouslyLeaveUpgrades.map(
        (prefix) => `dangerouslyLeaveUpgrades: ${prefix} (whoever listens there is not guarded)`,
      ),
      ...(settings.bus.dangerouslyUnsigned === true
        ? ['bus.dangerouslyUnsigned: true (whoever can publish on the bus speaks in rooms and ends sessions)']
        : []),
      ...(settings.helmet === false ? ['helmet: false (refusals carry no security headers)'] : []),
      ...(Reflect.get(app.server, 'headersTimeout') === 0
        ? ["the server's headersTimeout: 0 (a handshake may come byte by byte for ever, before any hook sees it)"]
        : []),
      ...routes.flatMap(({ loosened, socket }) => loosened.map((line) => `${socket.route} ${line}`)),
    ])
  })
  app.addHook('onClose', async () => {
    sweep.close()
    await sanitizer.close()
    await node.close()
    metrics?.close()
  })
}

/** The members of a route that matter here; `handler` of a `websocket: true` route takes a socket, whatever Fastify's type says. */
interface DeclaredRoute {
  websocket?: unknown
  secureWs?: unknown
  handler?: unknown
  wsHandler?: unknown
}

function policyOf({ routeOptions: { config } }: FastifyRequest): RoutePolicy | undefined {
  return Reflect.get(config, policyKey)
}

function warnOnce(app: FastifyInstance, audit: Audit, loosened: readonly string[]): void {
  if (loosened.length === 0) return
  app.log.warn({ loosened }, `fastify-secure-ws: ${loosened.length} guard(s) loosened: ${loosened.join('; ')}`)
  for (const reason of loosened) audit({ type: 'options.loosened', reason })
}

/** Sockets whose ids are digested in one round of the sweep: some milliseconds of work. */
const settledEachRound = 5_000

/** Fine enough for the shortest limit, and once a second at most. */
function sweepEvery(limits: Limits, revalidateEvery: number): number {
  const { heartbeat, idle, lifetime, partialMessage, writeTimeout, handshake, listener } = limits
  const times = [heartbeat.every, heartbeat.timeout, idle, lifetime, partialMessage, writeTimeout, handshake, listener]
  return Math.min(1_000, Math.max(20, Math.floor(Math.min(...times, revalidateEvery) / 4)))
}

export default fastifyPlugin(secureWs, { fastify: '5.x', name: 'fastify-secure-ws' })
