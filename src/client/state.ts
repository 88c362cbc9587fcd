import { callContained } from './incoming.ts'
import type { ClientState } from './options.ts'

type Watcher = (state: ClientState) => void

/** The state of a client, and whoever is told of it. */
export class Told {
  readonly #watchers = new Set<Watcher>()
  now: ClientState = { name: 'connecting' }

  set(state: ClientState): void {
    this.now = state
    // A watcher that closes or begins anew has told all of them what is so now: the others must not hear what was, after it.
    for (const watcher of [...this.#watchers]) if (this.now === state) callContained(watcher, state)
  }

  subscribe(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    callContained(watcher, this.now)
    return () => {
      this.#watchers.delete(watcher)
    }
  }
}
