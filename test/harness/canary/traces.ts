import type * as Otel from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { look, seen } from './sinks.ts'

/** What goes into the memory exporter of those that trace by themselves. */
export function watchSpans(): void {
  const { prototype } = InMemorySpanExporter
  const keep = prototype.export
  prototype.export = function watched(this: InMemorySpanExporter, spans, done) {
    lookAt(spans)
    return keep.call(this, spans, done)
  }
}

/** Traces whatever has no tracer of its own. */
export function traceEverything(require: NodeJS.Require): void {
  const api: typeof Otel = require('@opentelemetry/api')
  const { trace, ProxyTracerProvider } = api
  const exporter: SpanExporter = {
    export(spans, done) {
      lookAt(spans)
      done({ code: 0 })
    },
    async shutdown() {},
  }
  const own = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const provider = trace.getTracerProvider.bind(trace)
  const isNobody = (given: Otel.TracerProvider) =>
    given instanceof ProxyTracerProvider && given.getDelegate() === new ProxyTracerProvider().getDelegate()
  trace.getTracerProvider = () => {
    const given = provider()
    return isNobody(given) ? own : given
  }
  trace.getTracer = (...given) => trace.getTracerProvider().getTracer(...given)
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator())
}

function lookAt(spans: readonly ReadableSpan[]): void {
  for (const { name, attributes, events, status, links } of spans) {
    seen('span', 'traces', name.split(' ')[0] ?? '')
    // Those of the application are its own.
    if (!/^(?:handshake|receive|deliver)\b/.test(name)) continue
    look('traces', JSON.stringify({ name, attributes, events, status, links }))
  }
}
