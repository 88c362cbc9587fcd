import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, { cookieSession, dangerouslyAllowAnyOrigin, type SecureWsOptions } from '../../src/index.ts'
import { admittedAttacks, HandshakeRefused, injectSecureWS } from '../../src/testing/testing.ts'
import { testCertificate } from '../harness/certificate.ts'
import { cookieOf } from '../journeys/journey.ts'

const secret = randomBytes(32)
const cookie = cookieOf(secret, 's1')
const authenticate = cookieSession({ secret, load: (id) => (id === 's1' ? { id, userId: 'ada' } : null) })
const origin = 'https://app.example'
const options = { origins: [origin], authenticate }

async function appWith(given: SecureWsOptions, server: object = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({ forceCloseConnections: true, ...server } as object)
  await app.register(secureWs, given)
  app.get('/chat', { websocket: true, secureWs: { protocols: ['chat'] } }, (socket, request) => {
    socket.send(`<b>${socket.session?.userId} at ${request.ip}`)
    socket.on('message', (frame) => socket.send(String(frame)))
  })
  return app
}

for (const [name, server] of [
  ['plain', {}],
  ['TLS', { https: await testCertificate() }],
] as const) {
  test(`a ${name} server, without a port: a socket as a client has it`, async (t) => {
    const app = await appWith(options, server)
    t.after(() => app.close())
    const socket = await injectSecureWS(app, '/chat', {
      origin,
      headers: { cookie },
      protocols: ['chat'],
      address: '192.0.2.7',
    })
    t.after(() => socket.terminate())
    const [first] = await once(socket, 'message')
    assert.equal(String(first), '&lt;b&gt;ada at 192.0.2.7')
    assert.equal(socket.protocol, 'chat')
    socket.send('<i>')
    assert.equal(String((await once(socket, 'message'))[0]), '&lt;i&gt;')
    socket.close(1000)
    assert.equal((await once(socket, 'close'))[0], 1000)
  })
}

test('a refusal says its status and code', async (t) => {
  const app = await appWith(options)
  t.after(() => app.close())
  const good = { origin, headers: { cookie }, protocols: ['chat'] }
  const rows = [
    [{ ...good, origin: 'https://evil.example', host: 'app.example' }, 403, 'SWS_ORIGIN_REFUSED'],
    [{ ...good, origin: null, host: 'app.example' }, 403, 'SWS_ORIGIN_REFUSED'],
    [{ ...good, host: 'rebind.example' }, 421, 'SWS_HOST_REFUSED'],
    [{ ...good, encrypted: false }, 426, 'SWS_INSECURE_TRANSPORT'],
    [{ ...good, headers: {} }, 401, 'SWS_UNAUTHENTICATED'],
  ] as const
  for (const [given, statusCode, code] of rows) {
    await assert.rejects(injectSecureWS(app, '/chat', given), (error) => {
      assert.ok(error instanceof HandshakeRefused)
      assert.deepEqual([error.statusCode, error.code], [statusCode, code])
      return true
    })
  }
})

test('the attacks: none gets into a secure application, and an open one is told from it', async (t) => {
  const good = { origin, headers: { cookie }, protocols: ['chat'] }
  const secure = await appWith(options)
  t.after(() => secure.close())
  assert.deepEqual(await admittedAttacks(secure, '/chat', good), [])

  const open = await appWith({
    origins: dangerouslyAllowAnyOrigin,
    hosts: ['app.example'],
    allowMissingOrigin: true,
    authenticate,
    dangerouslyAllowAmbientCredentials: true,
  })
  t.after(() => open.close())
  const admitted = await admittedAttacks(open, '/chat', good)
  for (const name of [
    'a page of another origin',
    'no page at all',
    'a name that ends like ours',
    'our name on another port',
  ]) {
    assert.ok(admitted.includes(name), name)
  }
  assert.ok(!admitted.includes('a rebound host name'))
})

test('an application that refuses everybody proves nothing, and fails', async (t) => {
  const app = await appWith(options)
  t.after(() => app.close())
  await assert.rejects(admittedAttacks(app, '/chat', { origin, protocols: ['chat'] }), HandshakeRefused)
})
