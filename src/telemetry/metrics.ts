import type { Attributes, Meter } from '@opentelemetry/api'
import { CloseCode } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import type { AuditEntry } from './events.ts'
import { gaugesOf, type Measured } from './gauges.ts'
import { createTraffic, type Traffic } from './traffic.ts'

const api = lazyLoad<Pick<typeof import('@opentelemetry/api'), 'metrics' | 'createNoopMeter'>>('@opentelemetry/api')

/** What is counted of one server; `undefined` where nobody measures. */
export interface Metrics {
  readonly traffic: Traffic
  /** Counts a decision. */
  count(entry: AuditEntry): void
  /** Reports the numbers of `stats()` from now on. */
  observe(read: () => Measured): void
  close(): void
}

/** In seconds. Handshakes take milliseconds; connections live from seconds to days. */
const handshakeBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const connectionBounds = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400]

/**
 * Measures by OpenTelemetry where the application has its API and has set a meter provider before this server is made.
 *
 * @param failed told what a meter threw about a message, which harms none
 * @param load looked up once for each server
 */
export function createMetrics(failed: (error: unknown) => void, load: typeof api = api): Metrics | undefined {
  const meter = meterOf(load)
  if (meter === undefined) return undefined
  const events = meter.createCounter('secure_ws.server.events', {
    unit: '{event}',
    description: 'Decisions, by type of the audit event, code and route.',
  })
  const handshake = histogram(
    meter,
    'secure_ws.server.handshake.duration',
    'From the upgrade to the socket, or to the refusal.',
    handshakeBounds,
  )
  const handshakes = meter.createCounter('secure_ws.server.handshakes', {
    unit: '{handshake}',
    description: 'Handshakes, by outcome, code and route.',
  })
  const refusals = meter.createCounter('secure_ws.server.refusals', {
    unit: '{refusal}',
    description: 'What was refused, by what it was, code and route.',
  })
  const usedUp = meter.createCounter('secure_ws.server.budgets.used_up', {
    unit: '{refusal}',
    description: 'Refusals because a rate or a limit was used up.',
  })
  const dropped = meter.createCounter('secure_ws.server.output.dropped', {
    unit: '{message}',
    description: 'Messages that were accepted and not sent.',
  })
  const relayFailures = meter.createCounter('secure_ws.server.relay.failures', {
    unit: '{failure}',
    description: 'Failures of the bus, by stage.',
  })
  const revocation = histogram(
    meter,
    'secure_ws.server.revocation.latency',
    'From `revoke` until it is stored for all nodes, or until its sockets on another node are shut.',
    handshakeBounds,
  )
  const traffic = createTraffic(meter, failed)
  const connection = histogram(
    meter,
    'secure_ws.server.connection.duration',
    'From the socket to its end.',
    connectionBounds,
  )
  let stop = () => {}
  return {
    traffic,
    count(entry) {
      events.add(1, labelsOf(entry))
      const { type, durationMs, route, code, count = 1 } = entry
      const of = codeAndRoute(entry)
      const outcome = outcomes.get(type)
      if (outcome !== undefined) handshakes.add(1, { outcome, ...of })
      const what = refused.get(type)
      if (what !== undefined) refusals.add(1, { what, ...of })
      const budget = budgets.get(code)
      if (budget !== undefined && what !== undefined) usedUp.add(1, { budget, ...withRoute(route) })
      if (type === 'server.overloaded') usedUp.add(1, { budget: 'memory' })
      if (type === 'output.refused' && (code === 'SWS_SLOW_READER' || code === 'SWS_CLOSED')) dropped.add(count, of)
      if (type === 'relay.failed') relayFailures.add(1, { stage: String(code) })
      if (type === 'relay.refused') relayFailures.add(1, { stage: 'refused' })
      if (durationMs === undefined) return
      if (type === 'session.revoked') revocation.record(durationMs / 1_000, { where: 'here' })
      if (type === 'session.revocation-heard') revocation.record(durationMs / 1_000, { where: 'elsewhere' })
      if (type === 'handshake.accepted' || type === 'handshake.refused')
        handshake.record(durationMs / 1_000, { outcome: String(outcome), ...withRoute(route) })
      if (type === 'socket.closed' || type === 'stream.closed')
        connection.record(durationMs / 1_000, { code: closeCode(code), ...withRoute(route) })
    },
    observe(read) {
      stop = gaugesOf(meter).add(read)
    },
    close: () => stop(),
  }
}

function histogram(meter: Meter, name: string, description: string, explicitBucketBoundaries: number[]) {
  return meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries } })
}

function meterOf(load: typeof api): Meter | undefined {
  try {
    const { metrics, createNoopMeter } = load()
    const meter = metrics.getMeter('fastify-secure-ws')
    // Nobody has set a provider: then nothing is measured, and events that nobody hears need not be made.
    return meter === createNoopMeter() ? undefined : meter
  } catch {
    // Not installed: who measures has it.
    return undefined
  }
}

const outcomes: ReadonlyMap<AuditEntry['type'], string> = new Map([
  ['handshake.accepted', 'admitted'],
  ['handshake.refused', 'refused'],
  ['handshake.reported', 'reported'],
])

const refused: ReadonlyMap<AuditEntry['type'], string> = new Map([
  ['handshake.refused', 'handshake'],
  ['message.refused', 'message'],
  ['message.replayed', 'message'],
  ['message.step-up', 'message'],
  ['output.refused', 'output'],
  ['room.refused', 'room'],
  ['sanitizer.refused', 'document'],
])

const budgets: ReadonlyMap<AuditEntry['code'], string> = new Map([
  ['SWS_TOO_FAST', 'messages'],
  ['SWS_TOO_MANY_HANDSHAKES', 'handshakes'],
  ['SWS_TOO_MANY_CONNECTIONS', 'connections'],
  ['SWS_TOO_MANY_ROOMS', 'rooms'],
  ['SWS_SLOW_READER', 'output'],
])

function codeAndRoute(entry: AuditEntry): Attributes {
  const code = boundedCode(entry)
  return { ...(code === undefined ? {} : { code }), ...withRoute(entry.route) }
}

/** Names of ours and of the application's, each one of a few: what a client writes never makes a new series. */
function labelsOf(entry: AuditEntry): Attributes {
  return { type: entry.type, ...codeAndRoute(entry) }
}

/** The code of an event, where a client cannot choose it: that of a close is one of a few, or `other`. */
export function boundedCode({ type, code }: AuditEntry): AuditEntry['code'] {
  return isEnd(type) ? closeCode(code) : code
}

function isEnd(type: AuditEntry['type']): boolean {
  return type === 'socket.closed' || type === 'stream.closed' || type === 'socket.dismissed'
}

function withRoute(route: string | undefined): Attributes {
  return route === undefined ? {} : { route }
}

const ours: ReadonlySet<unknown> = new Set(Object.values(CloseCode))

/** A client may close with two thousand codes of its own (RFC 6455 section 7.4.2); those of the protocol are a few. */
function closeCode(code: AuditEntry['code']): number | string {
  const isKnown = ours.has(code) || (typeof code === 'number' && code >= 1_000 && code < 1_016)
  return isKnown && code !== undefined ? code : 'other'
}
