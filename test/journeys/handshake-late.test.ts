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

// ws writes the 101 and lets go of the handshake in one turn; its `headers` event is the last moment at which somebody can act.
test('CS-9 what is revoked in the turn of the 101 is no socket: nothing of it is delivered', async (t) => {
  const heard: string[] = []
  const server = await startServer(t, { authenticate: () => ({ id: 's1', userId: 'ada' }) }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', (text) => heard.push(String(text)))
    })
    app.addHook('onReady', async () => {
      app.websocketServer.once('headers', () => void app.secureWs.revoke({ userId: 'ada' }))
    })
  })
  const open = () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, { origin: `http://127.0.0.1:${server.port}` })
    t.after(() => socket.terminate())
    socket.on('open', () => socket.send('hello'))
    return socket
  }
  assert.equal((await once(open(), 'close'))[0], 3000)
  assert.deepEqual(heard, [])
  assert.equal(server.events.find(({ type }) => type === 'socket.closed')?.reason, 'revoked meanwhile')
})
