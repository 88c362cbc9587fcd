import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { createServer as createVite } from 'vite'
import WebSocket from 'ws'
import secureWs from '../../src/index.ts'
import { startNeighbourhood } from './neighbour.ts'

test('the hot reload of a development server is left alone by name, and nothing else with it', async (t) => {
  const attach = async (app: FastifyInstance) => {
    const vite = await createVite({
      configFile: false,
      logLevel: 'silent',
      appType: 'custom',
      optimizeDeps: { noDiscovery: true },
      server: { middlewareMode: true, watch: null, hmr: { server: app.server, path: '/vite-hmr' } },
    })
    t.after(() => vite.close())
    return vite
  }
  const unguarded = Fastify()
  t.after(() => unguarded.close())
  await unguarded.register(secureWs, { authenticate: false })
  await attach(unguarded)
  await assert.rejects(Promise.resolve(unguarded.ready()), { code: 'SWS_UNGUARDED_ROUTE', message: /vite/ })

  let token = ''
  const { own, ask, events } = await startNeighbourhood(t, {
    options: { dangerouslyLeaveUpgrades: ['/vite-hmr'] },
    async after(app) {
      token = (await attach(app)).config.webSocketToken
    },
  })
  assert.ok(events.some(({ reason }) => reason?.includes('dangerouslyLeaveUpgrades: /vite-hmr')))
  const socket = new WebSocket(`${own.replace('http', 'ws')}/vite-hmr?token=${token}`, ['vite-hmr'])
  t.after(() => socket.terminate())
  const [said] = await once(socket, 'message')
  assert.deepEqual(JSON.parse(String(said)), { type: 'connected' })
  assert.equal(await ask('/ours', { Origin: 'https://evil.example' }), 403)
  assert.equal(await ask('/ours'), 101)
})
