import type * as Otel from '@opentelemetry/api'
import type * as Sdk from '@opentelemetry/sdk-trace'
import { look, seen } from './sinks.ts'

/** Traces of whatever has no tracer of its own, and what goes into the memory exporter of those that have. */
export function watchTraces(require: NodeJS.Require): void {
  const api: typeof Otel = require('@opentelemetry/api')
  const sdk: typeof Sdk = require('@opentelemetry/sdk-trace')
  const { AsyncLocalStorageContextManager }: typeof import('@opentelemetry/context-async-hooks') =
    require('@opentelemetry/context-async-hooks')
  const { W3CTraceContextPropagator }: typeof import('@opentelemetry/core') = require('@opentelemetry/core')
  const { trace, ProxyTracerProvider } = api
  const lookAt = (spans: readonly Sdk.ReadableSpan[]) => {
    for (const { name, attributes, events, status, links } of spans) {
      seen('span', 'traces', name.split(' ')[0] ?? '')
      // Those of the application are its own.
      if (!/^(?:handshake|receive|deliver)\b/.test(name)) continue
      look('traces', JSON.stringify({ name, attributes, events, status, links }))
    }
  }
  const exporter: Sdk.SpanExporter = {
    export(spans, done) {
      lookAt(spans)
      done({ code: 0 })
    },
    async shutdown() {},
  }
  const own = new sdk.TracerProvider({ spanProcessors: [new sdk.SimpleSpanProcessor({ exporter })] })
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
