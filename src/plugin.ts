import { performance } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { EarlyRefusal } from './admission/early-refusal.ts'
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
import { loadOf } from './connection/load.ts'
import { MemoryBudget } from './connection/memory.ts'
import { Scope } from './connection/scope.ts'
import type { Surroundings } from './connection/surroundings.ts'
import { createSweep } from './connection/sweep.ts'
import { createInstance } from './decorator.ts'
import { createReplayGuard } from './inbound/replay.ts'
import { refuseSecondCopy } from './loading/copies.ts'
import { lazyLoad } from './loading/lazy-load.ts'
import type { GuardPolicy } from './options/guard.ts'
import type { Limits } from './options/limits.ts'
import { loosenedOf } from './options/loosened.ts'
import { resolveOptions, type SecureWsOptions } from './options/options.ts'
import { refuseHijacking } from './options/route.ts'
import { requireHttp1, requireNode } from './options/surroundings.ts'
import { createRemote } from './remote/remote.ts'
import { createIdentities } from './revocation/identities.ts'
import { createRevalidation } from './revocation/revalidation.ts'
import { isSocketOnly, isSocketRoute, policyOf, Routes } from './routes.ts'
import { createSanitizer } from './sanitizing/sanitizing.ts'
import { type Audit, createAudit, createHearing } from './telemetry/audit.ts'
import { createDeveloperLog, stderrUnlessLogged } from './telemetry/developer-log.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createObserver } from './telemetry/observer.ts'
import { createThrownLog, nameOfThrown } from './telemetry/thrown.ts'
import { createTraces } from './telemetry/traces.ts'
import { addTestDoor } from './test-door.ts'
import { Guards } from './ws/guards.ts'
import { behindLastLook } from './ws/handler.ts'
import { requireKnownWs } from './ws/known-ws.ts'
import { claimServer, refuseOtherRegistrations, refuseUnguarded } from './ws/one-per-server.ts'
import { registerWebsocket } from './ws/registration.ts'
import { secureSockets } from './ws/socket.ts'
import { socketId } from './ws/socket-id.ts'
import { upgradedBy } from './ws/upgraded-stream.ts'
import { UpgradedStreams } from './ws/upgraded-streams.ts'

/** Loaded where it is registered: an application that has its own does not wait for it. */
const cookiePlugin = lazyLoad<typeof import('@fastify/cookie')>('@fastify/cookie')

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
  const development = process.env.NODE_ENV !== 'production'
  const thrown = createThrownLog(app.log, development ? stderrUnlessLogged(app.log) : undefined)
  const metrics = createMetrics((error) => thrown({ by: 'the meter provider', error }))
  const heard = { logger: app.log, listener: settings.audit.listener, metrics }
  const audit = createAudit({ ...heard, thrown, identify: settings.audit.identify })
  const isHeard = createHearing(heard)
  const traces = createTraces((error) => thrown({ by: 'the tracer provider', error }))
  const tell = createDeveloperLog({ logger: app.log, development })
  const sanitizer = createSanitizer(
    settings.sanitize,
    (reason, code) => audit({ type: code === 'SWS_INTERNAL' ? 'sanitizer.failed' : 'sanitizer.refused', code, reason }),
    metrics?.traffic.sanitized,
  )
  const identities = createIdentities<Held>()
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
  const remote = createRemote({
    bus: settings.bus,
    isAlone: options.bus === undefined,
    now,
    uptime,
    audit,
    log: app.log,
    identities,
    maxAge: settings.session.maxAge,
    onAge: metrics?.traffic.relayed,
    traces,
    revalidation,
    roomsPerSocket: limits.roomsPerSocket,
    senders: {
      current: () => sanitizer.sender(),
      as: (name, work) => (senders.matter ? senders.as({ name }, work) : work()),
    },
    sockets: () => sweep.items,
  })
  const { rooms, revocation } = remote
  const replayGuard = remote.replayGuard(createReplayGuard())
  const routes = new Routes(
    {
      settings,
      now,
      replayGuard,
      sanitizeHtml: (dirty) => sanitizer.sanitize(dirty),
      sanitizeOutput: (dirty) => sanitizer.sanitizeOutput(dirty),
      senders,
      warn: (text) => app.log.warn(text),
    },
    () => {
      senders.matter = true
    },
  )
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
    memory.visit()
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
  const caps = createCaps({ whenFull: settings.session.whenFull, identities, leases: remote.leases })
  const http = createHttpSession({
    authentication: settings.authentication,
    deadline: limits.handshake,
    unjudgeable: () => remote.unjudgeable,
    isDenied: revocation.isDenied,
    uptime,
    thrown,
  })
  const instance = createInstance({
    remote,
    sweep,
    memory,
    capacity,
    caps,
    routes: routes.policies,
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
    failed: (error, { policy: { route }, address, origin, log }) => {
      audit({ type: 'stream.failed', reason: nameOfThrown(error), route, address, origin }, log)
      thrown({ by: 'an `upgrade` listener behind the guard', error }, { log, fields: { route } })
    },
    nobody: (request, reply) => nobodyBehind(request, reply),
  })
  app.addHook('onRoute', (route) =>
    routes.declare(route, {
      app,
      early,
      securityHeaders,
      hasErrorHandler: settings.websocket.errorHandler !== undefined,
      connectionOf: (socket) => sockets.connectionOf(socket),
    }),
  )

  app.addHook('preClose', async () => void (await instance.api.drain()))

  const ofSockets: Surroundings = {
    now,
    uptime,
    scope,
    audit,
    isHeard,
    observer: createObserver({ traffic: metrics?.traffic, traces, uptime }),
    expiryGrace: settings.session.expiryGrace,
    rooms,
    identities,
    sweep,
    memory,
    isDenied: revocation.isDenied,
    isStale: revocation.isStale,
    revalidation,
  }
  const sockets = secureSockets({
    take: (stream) => streams.open(stream),
    to: (connection, room) => remote.audience([room], [connection.id]),
    room: (room) => remote.audience([room]),
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
    maxPayload: () => routes.messageBytes,
  })
  // After @fastify/websocket has made its handler of the application's.
  app.addHook('onRoute', (route) => {
    if (isSocketRoute(route)) route.handler = behindLastLook(route.handler, (...asked) => mayUpgrade(...asked))
  })
  function declareGuard(path: string, policy: GuardPolicy): void {
    guards.declare(path, mayUpgrade, upgrades, () => routes.guarded(path, policy))
  }
  app.addHook('preClose', async () => {
    upgrades.leave()
    streams.close()
  })

  const { guard, mayUpgrade, nobodyBehind } = createGuard({
    uptime,
    announcer,
    audit,
    thrown,
    seen: (request) => early.learn(request),
    traces,
    policyOf,
    policies: routes.policies,
    isSocketOnly,
    capacity,
    caps,
    sharedRate: remote.sharedRate(limits.handshakesPerMinutePerAddress),
    streams,
    verifyClient: compileVerifyClient(settings.websocket.options?.verifyClient),
    unavailable: (needsSession) => instance.unavailable(needsSession),
    isDenied: revocation.isDenied,
    tell,
    headersOnRefusal: securityHeaders.onRefusal,
  })
  app.addHook('onRequest', guard)
  app.decorate('secureWs', instance.api)
  claimServer(app)
  addTestDoor(app.server, instance.api, routes.policies)

  app.addHook('onReady', async () => {
    refuseSecondCopy()
    refuseUnguarded(app)
    guards.start(routes.urls)
    upgrades.lock()
    // Before the first client: the first document would wait for it, or be refused because nothing here can clean.
    if (senders.matter) await sanitizer.start()
    await remote.start()
    metrics?.observe(() => ({ ...instance.api.stats(), load: loadOf(sweep.items, sanitizer.stats().waiting) }))
    const headersTimeout: unknown = Reflect.get(app.server, 'headersTimeout')
    warnOnce(app, audit, loosenedOf(settings, enforcement, routes.policies, headersTimeout))
  })
  app.addHook('onClose', async () => {
    sweep.close()
    await sanitizer.close()
    await remote.stop()
    metrics?.close()
    audit.close()
  })
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
