import { AsyncResource } from 'node:async_hooks'

const name = 'fastify-secure-ws'

/**
 * Runs each piece of work in the async context that there was when this was made, and leaves nothing of it behind: neither
 * to the next message of a socket, nor to another socket of the same turn. ws, streams and timers call in whatever context
 * they were last touched in, which is somebody's.
 */
export class Scope {
  readonly #origin = new AsyncResource(name)

  run<T>(work: () => T): T {
    // One of its own each time: before Node 24 `enterWith` writes into the resource that runs, where the next would read it.
    return this.#origin.runInAsyncScope(ownResource).runInAsyncScope(work)
  }
}

function ownResource(): AsyncResource {
  return new AsyncResource(name)
}

/** A callback that runs in the context it was handed over in, whoever calls it. */
export function inContextOfNow<E>(callback: (error: E) => void): (error: E) => void {
  const own = new AsyncResource(name)
  return (error) => own.runInAsyncScope(callback, undefined, error)
}
