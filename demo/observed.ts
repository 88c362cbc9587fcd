// The demo with everything an operator sees: Prometheus reads the metrics at http://127.0.0.1:9464/metrics, and each span is in a
// line of OTLP JSON in a file, as the file exporter of a collector writes them (another one reads it: `otlpjsonfile`).
import { appendFileSync, writeFileSync } from 'node:fs'
import { context, metrics, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'

const file = process.env.TRACES_FILE ?? 'traces.jsonl'
const port = Number(process.env.METRICS_PORT ?? 9464)

/** Writes spans as lines of OTLP JSON. */
const toFile: SpanExporter = {
  export(spans, done) {
    const bytes = JsonTraceSerializer.serializeRequest(spans)
    if (bytes !== undefined) appendFileSync(file, `${Buffer.from(bytes).toString()}\n`)
    done({ code: 0 })
  },
  async shutdown() {},
}

writeFileSync(file, '')
const measuring = new MeterProvider({ readers: [new PrometheusExporter({ host: '127.0.0.1', port })] })
const tracing = new TracerProvider({
  spanProcessors: [new BatchSpanProcessor({ exporter: toFile, scheduledDelayMillis: 1_000 })],
})
metrics.setGlobalMeterProvider(measuring)
trace.setGlobalTracerProvider(tracing)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())

// The endpoint would keep the process alive. Spans are written last: those of the sockets end with the demo.
process.once('SIGINT', () => void measuring.shutdown())
process.once('beforeExit', () => void tracing.shutdown())

// Before the server is made: who registers later is not seen.
await import('./start.ts')
console.log(`  Metrics    http://127.0.0.1:${port}/metrics\n  Traces     ${file}\n`)
