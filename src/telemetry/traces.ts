import type { Attributes, Context, Span, SpanContext, TextMapGetter, Tracer } from '@opentelemetry/api'
import { lazyLoad } from '../loading/lazy-load.ts'
import { thenEither } from './settled.ts'

type Api = Pick<
  typeof import('@opentelemetry/api'),
  'trace' | 'context' | 'propagation' | 'ProxyTracerProvider' | 'ROOT_CONTEXT' | 'SpanKind' | 'SpanStatusCode'
>

const api = lazyLoad<Api>('@opentelemetry/api')

/** What later spans of a socket point to. */
export type TraceLink = SpanContext

/** The span of a handshake, from the guard to its end. */
export interface HandshakeSpan {
  /** For the spans of the socket's messages. */
  readonly link: TraceLink
  /** Runs work in its context: what the application traces there is part of it. */
  run<T>(work: () => T): T
  /** A step of the list is done. */
  step(name: string, code: string | undefined): void
  /** Once; whatever is said later is not heard. */
  end(code?: string): void
}

/** The span of one message. */
export interface MessageSpan {
  run<T>(work: () => T): T
  decided(type: string, code: string | undefined): void
  ended(outcome: string): void
  end(): void
}

/** Traces of one server. Attributes are names of this package and of the application's routes and types, and sizes. */
export interface Traces {
  /** Joined to the trace that the request says it is part of. `undefined` where the tracer failed. */
  handshake(headers: object, route: string): HandshakeSpan | undefined
  /** The first span of a trace of its own, so that none lives for a day; it points to the handshake, where that was sampled. */
  message(route: string, bytes: number, link: TraceLink | undefined): MessageSpan | undefined
  /** The trace that goes on here, as other nodes are told (W3C Trace Context); `undefined` where there is none. */
  current(): string | undefined
  /** Delivers what a node has sent in this trace. */
  elsewhere<T>(trace: string, work: () => T): T
}

/** A `traceparent` of version 0 (W3C Trace Context section 3.2.2). */
const traceparent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

export function isTraceparent(value: unknown): value is string {
  return typeof value === 'string' && traceparent.test(value)
}

/** Headers of a stranger: nothing is read that they inherit. */
const ownHeaders: TextMapGetter<object> = {
  keys: (headers) => Object.keys(headers),
  get(headers, name) {
    const value: unknown = Object.hasOwn(headers, name) ? Reflect.get(headers, name) : undefined
    return typeof value === 'string' ? value : undefined
  },
}

/**
 * Traces by OpenTelemetry where the application has its API and has set a tracer provider before this server is made.
 *
 * @param failed told what a tracer threw, which harms no handshake and no message
 * @param load looked up once for each server
 */
export function createTraces(failed: (error: unknown) => void, load: () => Api = api): Traces | undefined {
  const found = tracerOf(load)
  if (found === undefined) return undefined
  const { tracer, otel } = found
  const { trace, context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode } = otel

  /**
   * The span that is active, or the one that the request names. Its baggage and its `tracestate` stay out: they are texts of a
   * stranger, which would travel on, and be written with each span.
   */
  function parentOf(headers: object): Context {
    const active = trace.getSpanContext(context.active())
    if (active !== undefined && trace.isSpanContextValid(active)) return context.active()
    const named = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, headers, ownHeaders))
    if (named === undefined) return ROOT_CONTEXT
    const { traceId, spanId, traceFlags } = named
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
  }

  function attempt<T>(call: () => T): T | undefined {
    try {
      return call()
    } catch (error) {
      failed(error)
      return undefined
    }
  }

  const within = (span: Span, base: Context) => {
    const own = trace.setSpan(base, span)
    return <T>(work: () => T): T => {
      let began = false
      try {
        return context.with(own, () => {
          began = true
          return work()
        })
      } catch (error) {
        if (began) throw error
        failed(error)
        return work()
      }
    }
  }

  function startHandshake(headers: object, route: string): HandshakeSpan {
    const parent = parentOf(headers)
    const attributes = { 'secure_ws.route': route }
    const span = tracer.startSpan(`handshake ${route}`, { kind: SpanKind.SERVER, attributes }, parent)
    return {
      link: span.spanContext(),
      run: within(span, parent),
      step: (name, code) =>
        void attempt(() => span.addEvent(name, code === undefined ? {} : { 'secure_ws.code': code })),
      end: (code) =>
        void attempt(() => {
          if (code !== undefined) span.setAttribute('secure_ws.code', code).setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        }),
    }
  }

  function startMessage(route: string, bytes: number, link: TraceLink | undefined): MessageSpan {
    const isSampled = link !== undefined && (link.traceFlags & 1) === 1
    const attributes: Attributes = { 'secure_ws.route': route, 'secure_ws.message.size': bytes }
    const links = isSampled ? [{ context: link }] : []
    const span = tracer.startSpan('receive', { kind: SpanKind.SERVER, root: true, attributes, links }, ROOT_CONTEXT)
    return {
      run: within(span, ROOT_CONTEXT),
      decided: (type, code) =>
        void attempt(() => {
          span.updateName(`receive ${type}`).setAttribute('secure_ws.message.type', type)
          if (code !== undefined) span.setAttribute('secure_ws.code', code).setStatus({ code: SpanStatusCode.ERROR })
        }),
      ended: (outcome) =>
        void attempt(() => {
          span.setAttribute('secure_ws.listener.outcome', outcome)
          if (outcome !== 'returned') span.setStatus({ code: SpanStatusCode.ERROR })
        }),
      end: () => void attempt(() => span.end()),
    }
  }

  function currentTrace(): string | undefined {
    const active = trace.getSpanContext(context.active())
    if (active === undefined || !trace.isSpanContextValid(active)) return undefined
    const { traceId, spanId, traceFlags } = active
    return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`
  }

  return {
    handshake: (headers, route) => attempt(() => startHandshake(headers, route)),
    message: (route, bytes, link) => attempt(() => startMessage(route, bytes, link)),
    current: () => attempt(currentTrace),
    elsewhere(said, work) {
      const [, traceId = '', spanId = '', flags = ''] = traceparent.exec(said) ?? []
      const remote: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
      const parent = trace.setSpanContext(ROOT_CONTEXT, remote)
      const span = attempt(() => tracer.startSpan('deliver', { kind: SpanKind.CONSUMER }, parent))
      if (span === undefined) return work()
      return thenEither(
        () => within(span, parent)(work),
        () => void attempt(() => span.end()),
      )
    },
  }
}

function tracerOf(load: () => Api): { readonly tracer: Tracer; readonly otel: Api } | undefined {
  try {
    const otel = load()
    const provider = otel.trace.getTracerProvider()
    const { ProxyTracerProvider } = otel
    // Nobody has set a provider: then nothing is traced, and no message pays for it.
    const isNobody =
      provider instanceof ProxyTracerProvider && provider.getDelegate() === new ProxyTracerProvider().getDelegate()
    return isNobody ? undefined : { tracer: otel.trace.getTracer('fastify-secure-ws'), otel }
  } catch {
    // Not installed: who traces has it.
    return undefined
  }
}
