import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import secureWs, { type AuditEvent, redisBus } from '../../src/index.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'

// Why the bus is away: in the server's log, by its own name, once, and again when it changes. Never in an audit event.

const secret = 'a secret of these tests, 32 bytes'
const rights = '~app:* &app:* +@all'
let plain: RedisServer
let encrypted: RedisServer
before(async () => {
  plain = await startRedis({ acl: [`user app on >hunter2 ${rights}`, `user mute on >hunter2 ${rights} -publish`] })
  encrypted = await startRedis({ tls: true })
})
after(async () => {
  await plain.close()
  await encrypted.close()
})

type Bus = Parameters<typeof redisBus>[0]
const settled = { channel: 'app', secret }

async function start(t: TestContext, bus: Partial<Bus>) {
  const told: { readonly msg: string; readonly fault?: string; readonly err?: object; readonly level: number }[] = []
  const lines: string[] = []
  const events: AuditEvent[] = []
  const write = (line: string) => {
    lines.push(line)
    const entry = JSON.parse(line)
    if (/the bus `redis`/.test(entry.msg)) told.push(entry)
  }
  const app = Fastify({ logger: { level: 'info', stream: { write } } })
  t.after(() => app.close())
  await app.register(secureWs, {
    authenticate: () => ({ id: 's1' }),
    bus: redisBus({ ...settled, ...bus }),
    audit: (event) => events.push(event),
  })
  await app.ready()
  return { app, told, lines, events }
}

/** No name: a label has at most 63 bytes (RFC 1035, section 2.3.4). It is refused here, and no server has to be asked. */
const nowhere = `${'redis'.repeat(13)}.invalid`

const faults: readonly (readonly [name: string, bus: () => Partial<Bus> & { readonly url: string }, advice: RegExp])[] =
  [
    ['wrong password', () => ({ url: plain.urlFor('app', 'hunter2-wrong') }), /user and the password/],
    ['unknown host', () => ({ url: `redis://app:hunter2@${nowhere}:6379`, allowInsecureTransport: true }), /DNS/],
    ['connection refused', () => ({ url: 'redis://app:hunter2@127.0.0.1:1' }), /host and port/],
    ['TLS failed', () => ({ url: `rediss://app:hunter2@localhost:${encrypted.port}` }), /tls\.ca/],
    // A server without TLS takes the first bytes for a command, and waits for its end.
    ['away', () => ({ url: `rediss://app:hunter2@localhost:${plain.port}` }), /both sides speak TLS or neither/],
  ]
// Side by side: each waits for the two seconds in which a node may come up.
describe('a bus that is away', { concurrency: true }, () => {
  for (const [fault, bus, advice] of faults) {
    for (const client of ['redis', 'ioredis']) {
      test(`${fault}, with ${client} (${advice.source}): told once by its name, and never with the password`, async (t) => {
        const { url, ...rest } = bus()
        const { told, lines, events } = await start(
          t,
          client === 'redis' ? { url, ...rest } : { client: new Redis(url, { lazyConnect: true }) },
        )
        await until(() => told.length > 0, 'it was told')
        // Long enough for more attempts: a failure that stays the same is no news.
        await new Promise((resolve) => setTimeout(resolve, 600))
        assert.deepEqual(
          told.map((entry) => [entry.level, entry.fault]),
          [[50, fault]],
        )
        assert.match(told[0]?.msg ?? '', advice)
        assert.match(String(Reflect.get(told[0]?.err ?? {}, 'stack')), /Error/)
        assert.doesNotMatch(lines.join(''), /hunter2/)
        for (const { type, reason } of events) {
          if (type === 'relay.failed')
            assert.match(reason ?? '', /^(?:Error: Redis is away|Error: no answer from Redis within \d+ ms)$/)
        }
        assert.ok(events.some(({ type }) => type === 'relay.failed'))
      })
    }
  }
})

test('a missing right is told by its name, once, while everything else works', async (t) => {
  const { app, told, events } = await start(t, { url: plain.urlFor('mute', 'hunter2') })
  for (let round = 0; round < 3; round++) app.secureWs.to('room').send('news')
  await until(() => told.length > 0, 'it was told')
  await app.secureWs.revoke({ userId: 'ada' })
  assert.deepEqual(
    told.map(({ fault }) => fault),
    ['missing right: PUBLISH'],
  )
  assert.deepEqual(
    [...new Set(events.filter(({ type }) => type === 'relay.failed').map(({ reason }) => reason))],
    ['missing right: PUBLISH'],
  )
})

test('it is told again when it changes, and when it comes back after it was well', async (t) => {
  const server = await startRedis({ acl: [`user app on >hunter2 ${rights}`] })
  t.after(() => server.close())
  const { told } = await start(t, { url: server.urlFor('app', 'hunter2') })
  await server.stop()
  const said = () => told.map(({ fault }) => fault ?? 'back')
  await until(() => said().includes('connection refused'), 'refused')
  await server.start()
  await until(() => said().at(-1) === 'back', 'it is back')
  await server.stop()
  await until(() => said().slice(said().indexOf('back')).includes('connection refused'), 'refused again')
  const refused = said().filter((fault) => fault === 'connection refused')
  assert.equal(refused.length, 2, said().join(', '))
})
