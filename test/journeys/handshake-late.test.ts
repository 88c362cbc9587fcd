import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// A package of the application writes its own `handleProtocols` to the server's options, for all routes (graphql-ws does).
test('no other code chooses the sub-protocol of a route', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/chat', { websocket: true, secureWs: { protocols: ['chat.v1'] } }, () => {
      app.websocketServer.options.handleProtocols = (offered) => [...offered][0] ?? false
    })
  })
  for (let round = 0; round < 2; round++) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/chat`, ['foreign', 'chat.v1'], {
      origin: `http://127.0.0.1:${server.port}`,
    })
    t.after(() => socket.terminate())
    await once(socket, 'open')
    assert.equal(socket.protocol, 'chat.v1')
  }
})

for (const place of ['authenticate', 'a hook behind the guard'] as const) {
  test(`a handshake that waited in ${place} while the server drained is not admitted`, async (t) => {
    let waiting = false
    let go = () => {}
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    const wait = async () => {
      waiting = true
      await held
    }
    const options =
      place === 'authenticate'
        ? {
            authenticate: async () => {
              await wait()
              return { id: 'ada' }
            },
          }
        : {}
    const server = await startServer(t, options, (app) => {
      const hooks = place === 'authenticate' ? {} : { preHandler: wait }
      app.get('/ws', { websocket: true, ...hooks }, () => {})
    })
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, { origin: `http://127.0.0.1:${server.port}` })
    const refused = once(socket, 'error')
    await until(() => waiting, 'it waits')
    await server.app.secureWs.drain()
    go()
    await refused
    await server.empty()
    assert.equal(server.events.filter(({ type }) => type === 'handshake.accepted').length, 0)
  })
}
