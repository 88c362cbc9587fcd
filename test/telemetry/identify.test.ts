import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { type AuditEvent, type SecureWsOptions } from '../../src/index.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

const key = 'a key of thirty-two characters!!'

async function eventsWith(t: { after(task: () => unknown): void }, options: object) {
  const events: AuditEvent[] = []
  const listener = (event: AuditEvent) => void events.push(event)
  const node = await oneNode({ find: (id) => ({ id, userId: `user of ${id}` }), audit: { listener, ...options } })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  for (const id of ['ann', 'ann', 'bob']) await (await openSocket(url, as(id))).close()
  await until(() => events.filter(({ type }) => type === 'socket.closed').length === 3, 'all have closed')
  await node.app.secureWs.revoke({ userId: 'user of ann' })
  return events.filter(({ type }) => type !== 'options.loosened')
}

test('as digests, users and addresses name nobody, and the same person is the same one in every event', async (t) => {
  const events = await eventsWith(t, { identify: 'hash', key })
  assert.doesNotMatch(JSON.stringify(events), /user of|127\.0\.0\.1"/)
  const users = events.filter(({ type }) => type === 'handshake.accepted').map(({ user }) => user)
  assert.match(users[0] ?? '', /^[0-9a-f]{16}$/)
  assert.equal(users[0], users[1])
  assert.notEqual(users[0], users[2])
  assert.equal(events.at(-1)?.user, users[0], 'a call of the application is shown in the same way')
  const again = await eventsWith(t, { identify: 'hash', key })
  assert.equal(again[0]?.user, users[0], 'with the same key on another node')
  assert.equal(again[0]?.address, events[0]?.address)
  const random = await eventsWith(t, { identify: 'hash' })
  assert.notEqual(random[0]?.user, users[0], 'without one, nobody can compare')
})

test('near miss: as they are, unless somebody says otherwise', async (t) => {
  for (const options of [{}, { identify: 'plain' }]) {
    const [first] = await eventsWith(t, options)
    assert.deepEqual([first?.user, first?.address], ['user of ann', '127.0.0.1'])
  }
})

for (const [audit, path] of [
  ['yes', 'audit'],
  [{ identity: 'hash' }, 'audit.identity'],
  [{ listener: 'log' }, 'audit.listener'],
  [{ identify: true }, 'audit.identify'],
  [{ identify: 'hash', key: 'short' }, 'audit.key'],
  [{ key }, 'audit.key'],
] as const) {
  test(`${JSON.stringify(audit)} fails the start by the name of the option, without the key`, async () => {
    const app = Fastify()
    const options = { authenticate: false, audit } as object as SecureWsOptions
    await assert.rejects(
      async () => app.register(secureWs, options),
      ({ message }: Error) => message.includes(path) && !message.includes('short') && !message.includes(key),
    )
    await app.close()
  })
}
