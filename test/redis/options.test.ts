import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { createClient, createSentinel } from 'redis'
import { SecureWsError } from '../../src/errors.ts'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { redisTickets } from '../../src/redis/ticket-store.ts'
import { memoryBus } from '../../src/relay/memory-bus.ts'

const secret = 'a secret of these tests, 32 bytes'
const right = { url: 'redis://127.0.0.1:1', channel: 'app', secret }
/** What somebody without types would write. */
const untyped = (options: object) => Reflect.apply(redisBus, undefined, [options])

const refused: Record<string, [options: object, path: string]> = {
  'nothing at all': [{}, 'redisBus.channel'],
  'no channel': [{ ...right, channel: undefined }, 'redisBus.channel'],
  'an empty channel': [{ ...right, channel: '' }, 'redisBus.channel'],
  'BR-05: a channel with a colon, which another one could begin with': [
    { ...right, channel: 'app:x' },
    'redisBus.channel',
  ],
  'BR-05: a channel that is a pattern': [{ ...right, channel: '*' }, 'redisBus.channel'],
  'BR-05: a channel with a line break': [{ ...right, channel: 'app\r\n' }, 'redisBus.channel'],
  'no secret': [{ ...right, secret: undefined }, 'redisBus.secret'],
  'a short secret': [{ ...right, secret: 'x'.repeat(31) }, 'redisBus.secret'],
  'an empty list of secrets': [{ ...right, secret: [] }, 'redisBus.secret'],
  'a short one among secrets': [{ ...right, secret: [secret, 'short'] }, 'redisBus.secret[1]'],
  'a secret that is a number': [{ ...right, secret: 1e40 }, 'redisBus.secret'],
  'neither url nor client': [{ channel: 'app', secret }, 'redisBus.url'],
  'both url and client': [{ ...right, client: createClient() }, 'redisBus.url'],
  'an url that is none': [{ ...right, url: 'localhost' }, 'redisBus.url'],
  'an url of something else': [{ ...right, url: 'https://127.0.0.1' }, 'redisBus.url'],
  '12.3.1: plain Redis beyond loopback': [{ ...right, url: 'redis://10.0.0.1' }, 'redisBus.url'],
  '12.3.1: plain Redis on a name that only looks like loopback': [
    { ...right, url: 'redis://127.0.0.1.example' },
    'redisBus.url',
  ],
  'tls options without tls': [{ ...right, tls: { ca: 'x' } }, 'redisBus.tls'],
  '12.3.1: an unverified server': [
    { ...right, url: 'rediss://x', tls: { rejectUnauthorized: false } },
    'redisBus.tls.rejectUnauthorized',
  ],
  'tls options with a client': [{ channel: 'app', secret, client: createClient(), tls: {} }, 'redisBus.tls'],
  'a client that is none': [{ channel: 'app', secret, client: {} }, 'redisBus.client'],
  'a Sentinel client that takes its commands in another way': [
    {
      channel: 'app',
      secret,
      client: createSentinel({ name: 'shop', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }),
    },
    'redisBus.client',
  ],
  'a clock skew of an hour': [{ ...right, clockSkew: 3_600_000 }, 'redisBus.clockSkew'],
  'a clock skew as text': [{ ...right, clockSkew: '30000' }, 'redisBus.clockSkew'],
  'a misspelt option': [{ ...right, secrets: secret }, 'redisBus.secrets'],
}

describe('redisBus refuses', () => {
  for (const [name, [options, path]] of Object.entries(refused)) {
    test(name, () => {
      assert.throws(
        () => untyped(options),
        (error) =>
          error instanceof SecureWsError && error.code === 'SWS_BAD_OPTION' && error.message.includes(`\`${path}\``),
      )
    })
  }

  test('LG-03: without showing a secret or a password', () => {
    for (const options of [
      { ...right, secret: 'short-secret' },
      { ...right, secret: [secret, 'short-secret'] },
      { ...right, url: 'redis://user:short-secret@10.0.0.1' },
      { ...right, url: 'http://user:short-secret@10.0.0.1' },
      { ...right, url: 'user:short-secret@10.0.0.1' },
    ]) {
      assert.throws(
        () => redisBus(options),
        (error) => error instanceof Error && !error.message.includes('short-secret'),
      )
    }
  })
})

describe('redisBus accepts', () => {
  const accepted: Record<string, object> = {
    'loopback by address': right,
    'loopback by name': { ...right, url: 'redis://localhost:6379' },
    'loopback in IPv6': { ...right, url: 'redis://[::1]:6379' },
    'any 127 address': { ...right, url: 'redis://127.1.2.3' },
    'plain Redis where somebody says so': { ...right, url: 'redis://10.0.0.1', allowInsecureTransport: true },
    'rediss anywhere': {
      ...right,
      url: 'rediss://user:password@redis.internal:6379/0',
      tls: { ca: 'pem', servername: 'redis' },
    },
    'a client': { channel: 'app', secret, client: createClient() },
    'secrets as bytes, and as a list': { ...right, secret: [Buffer.alloc(32, 1), secret] },
    'a secret of 32 bytes': { ...right, secret: 'x'.repeat(32) },
  }
  for (const [name, options] of Object.entries(accepted)) {
    // It connects on first use: nothing is left open here.
    test(name, () => assert.equal(untyped(options).name, 'redis'))
  }

  test('LG-03: printed, it shows neither secret nor password', () => {
    const bus = redisBus({ ...right, url: 'redis://user:the-password@127.0.0.1:1' })
    const shown = inspect(bus, { depth: 10, showHidden: true }) + JSON.stringify(bus)
    assert.ok(!shown.includes(secret))
    assert.ok(!shown.includes('the-password'))
  })
})

test('redisTickets refuses what is no Redis bus', () => {
  for (const bus of [undefined, null, {}, memoryBus(), 'redis://127.0.0.1']) {
    assert.throws(
      () => Reflect.apply(redisTickets, undefined, [bus]),
      (error) => error instanceof SecureWsError && error.code === 'SWS_BAD_OPTION',
    )
  }
})
