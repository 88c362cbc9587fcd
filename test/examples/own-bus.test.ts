import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { threadBus } from '../../examples/own-bus.ts'
import secureWs from '../../src/index.ts'
import { busContract } from '../contracts/bus.contract.ts'
import { openSocket } from '../harness/socket-client.ts'

// The bus of docs/own-bus.md is held against what every bus must do.
const secret = randomBytes(32)

busContract(async () => {
  const buses = [threadBus('contract', secret), threadBus('contract', secret)] as const
  const close = async () => void (await Promise.all(buses.map((bus) => bus.close())))
  return { buses, close }
})

async function start(t: TestContext, key: Uint8Array) {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false, allowMissingOrigin: true, bus: threadBus('app', key) })
  app.get('/room', { websocket: true }, (socket) => {
    socket.join('lobby')
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, socket: await openSocket(`${url.replace('http', 'ws')}/room`) }
}

test('two applications hear each other over it, and one with another secret is heard by nobody', async (t) => {
  const [near, far, stranger] = [await start(t, secret), await start(t, secret), await start(t, randomBytes(32))]
  stranger.app.secureWs.to('lobby').send({ type: 'forged' })
  near.app.secureWs.to('lobby').send({ type: 'said' })
  for (const { socket } of [near, far]) assert.equal((await socket.hear('said')).type, 'said')
  for (const { socket } of [near, far]) assert.ok(!socket.heard.some(({ type }) => type === 'forged'))
  assert.ok(!stranger.socket.heard.some(({ type }) => type === 'said'))
  await Promise.all([near, far, stranger].map(({ socket }) => socket.close()))
})
