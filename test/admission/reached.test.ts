import assert from 'node:assert/strict'
import { test } from 'node:test'
import fastify, { type FastifyServerOptions } from 'fastify'
import { clientAddress, peerIsTrusted } from '../../src/admission/reached.ts'
import { rawHandshake } from '../harness/raw-client.ts'

type TrustProxy = NonNullable<FastifyServerOptions['trustProxy']>

/** What `peerIsTrusted` says about a real connection from 127.0.0.1. */
async function verdictOf(trustProxy: TrustProxy, headers: string): Promise<{ trusted: boolean; address: string }> {
  const app = fastify({ trustProxy, forceCloseConnections: true })
  app.get('/', async (request) => ({ trusted: peerIsTrusted(request), address: clientAddress(request) }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  try {
    const address = app.server.address()
    assert.ok(typeof address === 'object' && address !== null)
    const bytes = `GET / HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`
    return JSON.parse((await rawHandshake({ port: address.port, bytes })).body)
  } finally {
    await app.close()
  }
}

const forwarded = 'X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\nX-Forwarded-For: 203.0.113.7\r\n'

/** Its types forbid a number, JavaScript does not. */
const hops: TrustProxy = JSON.parse('1')

const settings: readonly (readonly [string, TrustProxy, boolean])[] = [
  ['off', false, false],
  ['true', true, true],
  ['the address', '127.0.0.1', true],
  ['a range', '127.0.0.0/8', true],
  ['a list', ['10.0.0.0/8', '127.0.0.1/32'], true],
  ['a named range', 'loopback', true],
  ['another range', '10.0.0.0/8', false],
  // CVE-2026-16732: a number of hops says nothing about who the nearest one is.
  ['a number of hops', hops, false],
  ['a function that says yes', (address) => address === '127.0.0.1', true],
  ['a function that says no', () => false, false],
]
for (const [name, trustProxy, expected] of settings) {
  test(`1.4 trustProxy ${name}: the peer is ${expected ? 'trusted' : 'a stranger'}`, async () => {
    const { trusted } = await verdictOf(trustProxy, forwarded)
    assert.equal(trusted, expected)
  })
}

test('1.4 a client cannot talk itself into trust', async () => {
  const headers = 'X-Forwarded-Host: probe\r\nX-Forwarded-For: 10.0.0.1\r\n'
  assert.equal((await verdictOf('10.0.0.0/8', headers)).trusted, false)
  assert.equal((await verdictOf(false, headers)).trusted, false)
})

test('without a forwarded header nobody needs trust', async () => {
  assert.equal((await verdictOf(true, '')).trusted, false)
  assert.equal((await verdictOf(true, 'X-Forwarded-Proto: https\r\n')).trusted, true)
})

test('the address is resolved through trusted proxies only', async () => {
  assert.equal((await verdictOf(true, forwarded)).address, '203.0.113.7')
  assert.equal((await verdictOf(false, forwarded)).address, '127.0.0.1')
})

// Fastify's own getters call it too, so it is asked about nothing else than what must not end the process.
test('a trustProxy function that throws trusts nobody', async () => {
  const app = fastify({
    trustProxy: () => {
      throw new Error('broken')
    },
  })
  app.get('/', async (request) => ({ trusted: peerIsTrusted(request), address: clientAddress(request) ?? 'none' }))
  const reply = await app.inject({ url: '/', headers: { 'x-forwarded-host': 'a', 'x-forwarded-for': '203.0.113.7' } })
  assert.deepEqual(reply.json(), { trusted: false, address: 'none' })
  await app.close()
})
