import { callContained } from './incoming.ts'
import type { ClientState } from './options.ts'

type Watcher = (state: ClientState) => void

/** The state of a client, and whoever is told of it. */
export class Told {
  readonly #watchers = new Set<Watcher>()
  now: ClientState = { name: 'connecting' }

  set(state: ClientState): void {
    this.now = state
    for (const watcher of [...this.#watchers]) callContained(watcher, state)
  }

  subscribe(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    callContained(watcher, this.now)
    return () => {
      this.#watchers.delete(watcher)
    }
  }
}
