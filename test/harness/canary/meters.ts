import type { Attributes, BatchObservableCallback, Meter, MetricsAPI, Observable } from '@opentelemetry/api'
import { look, seen } from './sinks.ts'

/** What this package hands to a meter, as an SDK would get it; a meter that a test has set gets it as well. */
export function watchMeters(require: NodeJS.Require): void {
  const { metrics }: { metrics: MetricsAPI } = require('@opentelemetry/api')
  const getMeter = metrics.getMeter.bind(metrics)
  metrics.getMeter = (name, ...rest) => {
    const meter = getMeter(name, ...rest)
    return name === 'fastify-secure-ws' ? watched(meter) : meter
  }
}

function note(name: string, value: number, attributes: Attributes = {}): void {
  seen('metric', 'metrics', name)
  look('metrics', `${name} ${value} ${JSON.stringify(attributes)}`)
}

function watched(meter: Meter): Meter {
  const names = new Map<Observable, string>()
  const callbacks = new Set<BatchObservableCallback>()
  const observed = <T extends Observable>(name: string, made: T): T => {
    // One of its own: a meter that nobody reads hands out the same for all.
    const own: T = Object.create(made)
    names.set(own, name)
    return own
  }
  const collect = (callback: BatchObservableCallback) => {
    const observe = (observable: Observable, value: number, attributes?: Attributes) =>
      note(names.get(observable) ?? 'nobody', value, attributes)
    void callback({ observe })
  }
  return {
    createGauge: meter.createGauge.bind(meter),
    createUpDownCounter: meter.createUpDownCounter.bind(meter),
    createObservableUpDownCounter: meter.createObservableUpDownCounter.bind(meter),
    createCounter(name, options) {
      const counter = meter.createCounter(name, options)
      return {
        add(value, attributes, context) {
          note(name, value, attributes)
          // Labels are of the caller's own type, which this has no name for.
          counter.add(value, attributes as never, context)
        },
      }
    },
    createHistogram(name, options) {
      const histogram = meter.createHistogram(name, options)
      return {
        record(value, attributes, context) {
          note(name, value, attributes)
          histogram.record(value, attributes as never, context)
        },
      }
    },
    createObservableGauge: (name, options) => observed(name, meter.createObservableGauge(name, options)) as never,
    createObservableCounter: (name, options) => observed(name, meter.createObservableCounter(name, options)) as never,
    addBatchObservableCallback(callback, observables) {
      callbacks.add(callback)
      meter.addBatchObservableCallback(callback, observables)
    },
    // A server that closes is read once more: what it leaves to the meter, as the sums of its messages, too.
    removeBatchObservableCallback(callback, observables) {
      for (const each of callbacks) collect(each)
      callbacks.delete(callback)
      meter.removeBatchObservableCallback(callback, observables)
    },
  }
}
