import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

const name = 'fastify-secure-ws'

/**
 * True where `enterWith` writes into the resource that runs, in which the next piece of work would read it: before Node 24, and
 * with its flag `--no-async-context-frame`.
 */
const isWrittenInto = ((): boolean => {
  const storage = new AsyncLocalStorage<true>()
  const resource = new AsyncResource(name)
  resource.runInAsyncScope(() => storage.enterWith(true))
  const found = resource.runInAsyncScope(() => storage.getStore())
  storage.disable()
  return found === true
})()

/**
 * Runs each piece of work in the async context that there was when this was made, and leaves nothing of it behind: neither
 * to the next message of a socket, nor to another socket of the same turn. ws, streams and timers call in whatever context
 * they were last touched in, which is somebody's.
 */
export class Scope {
  readonly #origin = new AsyncResource(name)

  run<Given extends unknown[], T>(work: (...given: Given) => T, ...given: Given): T {
    const resource = isWrittenInto ? this.#origin.runInAsyncScope(ownResource) : this.#origin
    return resource.runInAsyncScope(work, undefined, ...given)
  }
}

function ownResource(): AsyncResource {
  return new AsyncResource(name)
}

/**
 * A callback that runs in the context it was handed over in, whoever calls it. Not by `AsyncResource.bind`: the function that it
 * makes has a shape of its own, which V8 keeps until the next full collection, with all that the callback holds.
 */
export function inContextOfNow<Given extends unknown[]>(
  callback: (...given: Given) => void,
): (...given: Given) => void {
  const own = new AsyncResource(name)
  return (...given) => own.runInAsyncScope(callback, undefined, ...given)
}
