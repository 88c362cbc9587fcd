import * as api from '@opentelemetry/api'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { type AuditType, auditEvents } from '../../src/telemetry/events.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'

export class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

const failed = (error: unknown) => {
  throw error
}

/** The metrics of one server, on a provider of their own unless one is given. */
export function metricsOn(reader: Reader, provider = new MeterProvider({ readers: [reader] })): Metrics {
  const metrics = createMetrics(failed, () => ({
    ...api,
    metrics: { getMeter: provider.getMeter.bind(provider) } as never,
  }))
  if (metrics === undefined) throw new Error('nobody measures')
  return metrics
}

/** Has each metric say something once, with each of its labels. */
export function sayEverything(metrics: Metrics): void {
  metrics.observe(() => ({
    sockets: 1,
    connections: 1,
    rooms: 1,
    sessions: 1,
    users: 1,
    addresses: 1,
    bus: 'up',
    budgets: { memoryBytes: { used: 1 } },
    drain: null,
    load: { unheard: 1, outputBytes: 1, slowReaders: 1, sanitizerQueue: 1 },
  }))
  for (const type of Object.keys(auditEvents) as AuditType[]) {
    for (const code of ['SWS_TOO_FAST', 'SWS_SLOW_READER']) {
      metrics.count({ type, code, route: '/a', durationMs: 1, count: 1 })
    }
  }
  const { traffic } = metrics
  for (const direction of ['in', 'out'] as const) traffic.message(direction, '/a', 'say', 10)
  traffic.listener('/a', 'say', 'returned', 1)
  traffic.lookup('authorize', 'returned', 1)
  traffic.sanitized('clean', 1)
  traffic.relayed(1)
}

/** Every metric: by name and labels, and as Prometheus reads it. */
export async function everyMetric(): Promise<{ labels: Map<string, string[]>; prometheus: string }> {
  const reader = new Reader()
  const metrics = metricsOn(reader)
  sayEverything(metrics)
  const { resourceMetrics } = await reader.collect()
  const labels = new Map<string, string[]>()
  for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)) {
    labels.set(descriptor.name, [...new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes)))].sort())
  }
  return { labels, prometheus: new PrometheusSerializer().serialize(resourceMetrics) }
}
