import type { TestContext } from 'node:test'
import {
  type AnyMessages,
  type Client,
  type ClientState,
  type ConnectOptions,
  connect,
  type Messages,
} from '../../src/client/client.ts'
import type { TestServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

export interface Watched<M extends Messages> {
  readonly client: Client<M>
  /** Every state so far, oldest first. */
  readonly states: readonly ClientState[]
  /** The state of this name, once it is the current one. */
  reach<Name extends ClientState['name']>(name: Name): Promise<Extract<ClientState, { name: Name }>>
}

/** Node's WebSocket says no Origin by itself. */
export const from = (port: number, more: Readonly<Record<string, string>> = {}) => ({
  headers: { origin: `http://127.0.0.1:${port}`, ...more },
})

export const url = (port: number, path = '/ws') => `ws://127.0.0.1:${port}${path}`

/** A client that is closed when the test ends, and every state that it was in. */
export function watch<M extends Messages = AnyMessages>(
  t: TestContext,
  port: number,
  options: ConnectOptions<M> = {},
  path?: string,
): Watched<M> {
  const client = connect<M>(url(port, path), {
    credential: () => from(port),
    pause: { first: 20, ceiling: 60 },
    ...options,
  })
  const states: ClientState[] = []
  client.subscribe((state) => states.push(state))
  t.after(() => client.close())
  return {
    client,
    states,
    async reach(name) {
      try {
        await until(() => client.state.name === name, `the state was ${name}`)
      } catch (error) {
        throw new Error(`never ${name}: ${JSON.stringify(states)}`, { cause: error })
      }
      return client.state as Extract<ClientState, { name: typeof name }>
    },
  }
}

/**
 * How many handshakes came, whatever became of them. Node's own WebSocket makes each one that is answered with 401 twice, at once;
 * browsers do not.
 */
export function knocks({ events }: Pick<TestServer, 'events'>): number {
  const made = events.filter(({ type }) => type === 'handshake.refused' || type === 'handshake.accepted')
  const twice = made.filter(({ code }) => code === 'SWS_UNAUTHENTICATED')
  return made.length - twice.length / 2
}
