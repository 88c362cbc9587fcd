import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { bearer, fromRequest } from '../../src/index.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { from, watch } from './harness.ts'

// A session ends, and is renewed before it does: the socket stays open, and so do its rooms.

const declared = { receives: { say: { schema: { type: 'object' } } } } as const
const key = new Uint8Array(32).fill(7)
const token = (seconds: number) =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ada')
    .setIssuer('i')
    .setAudience('a')
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1_000) + seconds)
    .sign(key)

test('a token is renewed in band when its end is near, and the socket outlives the first one', async (t) => {
  const authenticate = bearer({ key, algorithms: ['HS256'], issuer: 'i', audience: 'a', clockTolerance: 0 })
  const server = await startServer(t, { authenticate, limits: { partialMessage: 200 } }, (app) =>
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => void socket.on('say', () => {})),
  )
  let fetched = 0
  const { client, reach, states } = watch(t, server.port, {
    credential: async () => ({ ...from(server.port), token: await token(++fetched === 1 ? 6 : 3_600) }),
  })
  const told: number[] = []
  client.on('expiring', (message) => told.push(message.in))
  await reach('open')
  await sleep(6_200)
  assert.deepEqual(
    states.map(({ name }) => name),
    ['connecting', 'open'],
  )
  assert.equal(fetched, 2)
  assert.equal(told.length, 1)
  assert.ok((told[0] ?? 0) > 0 && (told[0] ?? 0) <= 1_500, `${told}`)
  const [socket] = server.app.secureWs.sockets()
  assert.ok(socket !== undefined)
})

test('a cookie session that is given a later end outlives the first one; one that is not ends with 3000', async (t) => {
  let expiresAt = Date.now() + 12_000
  const authenticate = fromRequest(() => ({ id: 's1', expiresAt }), { revalidate: () => ({ id: 's1', expiresAt }) })
  const server = await startServer(t, { authenticate, limits: { lookup: 150, partialMessage: 100 } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => void socket.on('say', () => {}))
    app.get('/raw', { websocket: true }, (socket) => void socket.on('message', () => {}))
  })
  let fetched = 0
  const renews = watch(t, server.port, {
    credential: () => {
      if (++fetched === 2) expiresAt += 60_000
      return from(server.port)
    },
  })
  await renews.reach('open')
  await until(() => fetched === 2, 'it was renewed')
  await sleep(3_500)
  assert.deepEqual(renews.states, [{ name: 'connecting' }, { name: 'open' }])

  expiresAt = Date.now() + 4_000
  const ends = watch(t, server.port)
  const raw = watch(t, server.port, {}, '/raw')
  const heard: string[] = []
  ends.client.on('expiring', () => heard.push('declared'))
  raw.client.on('expiring', () => heard.push('raw'))
  await Promise.all([ends.reach('open'), raw.reach('open')])
  await until(() => ends.states.some((state) => 'reason' in state && state.reason === 'unauthorized'), 'it has ended')
  // A raw route has a protocol of its own, in which this would be noise.
  assert.deepEqual(heard, ['declared'])
})
