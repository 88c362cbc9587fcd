import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { type Bus, bearer, memoryBus, memoryTickets, type Session, ticket } from '../../src/index.ts'
import type { Denial } from '../../src/session/denials.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { as, type OneNodeOptions, oneNode } from '../session/one-node.ts'

// What `revoke` says it did is what it did (classes S3, S5, S6).

async function started(t: Pick<TestContext, 'after'>, options: OneNodeOptions) {
  const node = await oneNode(options)
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  return { ...node, url, revoke: node.app.secureWs.revoke }
}

test('a bus of one\u2019s own without keys is refused, unless it says that it is unsigned; with keys it passes', async (t) => {
  const { subscribe, publish, close } = memoryBus()
  const own = { name: 'own', subscribe, publish, close }
  for (const secret of [undefined, [], ['a text'], 'a text'])
    await assert.rejects(oneNode({ find: plain, bus: { ...own, ...(secret && { secret: secret as never }) } }), {
      code: 'SWS_BAD_OPTION',
      message: /bus\.secret.*dangerouslyUnsigned/,
    })
  for (const bus of [
    { ...own, secret: [createSecretKey(randomBytes(32))] },
    { ...own, dangerouslyUnsigned: true },
  ]) {
    const node = await oneNode({ find: plain, bus })
    t.after(() => node.app.close())
    await node.app.ready()
    const said = node.events.some(({ type, reason }) => type === 'options.loosened' && /Unsigned/.test(reason ?? ''))
    assert.equal(said, 'dangerouslyUnsigned' in bus)
  }
})

const plain = (id: string): Session => ({ id, userId: id.split('.')[0] ?? id })

test('S3 a revocation outlives `limits.lifetime`, and ends with `session.maxAge`', async (t) => {
  const now = Date.now()
  t.mock.timers.enable({ apis: ['Date'], now })
  const { url, revoke } = await started(t, { find: plain, limits: { lifetime: 50 }, session: { maxAge: 1_000 } })
  await revoke({ sessionId: 'ann.1' })
  t.mock.timers.setTime(now + 999)
  assert.equal(await statusOf(url, as('ann.1')), 401)
  t.mock.timers.setTime(now + 1_000)
  assert.equal(await statusOf(url, as('ann.1')), 101, 'the near miss: it is forgotten afterwards')
})

test('S5 nonsense is refused and does nothing: seconds, the past, no time, nobody', async (t) => {
  const { url, revoke } = await started(t, { find: plain })
  const client = await openSocket(url, as('ann.1'))
  const inAnHour = Date.now() + 3_600_000
  const seconds = revoke({ userId: 'ann' }, { until: Math.floor(inAnHour / 1000) })
  await assert.rejects(seconds, { code: 'SWS_BAD_OPTION', message: /seconds.*milliseconds/ })
  for (const end of [
    -1,
    0,
    Date.now() - 3_600_000,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1.5,
    inAnHour * 1000,
    '1' as never,
  ])
    await assert.rejects(revoke({ userId: 'ann' }, { until: end }), { code: 'SWS_BAD_OPTION' }, String(end))
  for (const subject of [{ userId: '' }, { userId: '\ud800' }, { userId: 7 }, { userId: 'a', sessionId: 'b' }, {}])
    await assert.rejects(revoke(subject as { userId: string }), { code: 'SWS_BAD_SUBJECT' }, JSON.stringify(subject))
  assert.deepEqual(await revoke({ tokenId: 'x' }, { until: Date.now() - 1 }), { closed: 0, stored: true }, 'just over')
  assert.equal(client.code, undefined)
  assert.deepEqual(await revoke({ userId: 'ann' }, { until: inAnHour }), { closed: 1, stored: true })
  assert.equal(await client.closed, 3000)
})

test('S5 it says how many it closed, and whether the others will learn of it', async (t) => {
  const { url, revoke } = await started(t, { find: plain })
  const clients = await Promise.all(['ann.1', 'ann.2', 'bob.1'].map((id) => openSocket(url, as(id))))
  assert.deepEqual(await revoke({ userId: 'ann' }), { closed: 2, stored: true })
  assert.deepEqual(await revoke({ userId: 'ann' }), { closed: 0, stored: true })
  assert.deepEqual(await revoke({ userId: 'nobody' }), { closed: 0, stored: true })
  await clients[2]?.close()
  const { name, subscribe, publish, close } = memoryBus()
  const three: Bus = { name, subscribe, publish, close }
  const alone = await started(t, { find: plain, bus: three })
  assert.deepEqual(await alone.revoke({ userId: 'ann' }), { closed: 0, stored: false })
})

/** A memory bus whose store of revocations refuses for as long as it is told to. */
function failingBus(): { readonly bus: Bus; readonly kept: string[]; down: boolean } {
  const inner = memoryBus()
  assert.ok(inner.stores)
  const { denials } = inner.stores
  const state = { down: false, kept: [] as string[] }
  const stores = {
    ...inner.stores,
    denials: {
      ...denials,
      async deny(...all: readonly Denial[]) {
        if (state.down) throw new Error('the store is away')
        state.kept.push(...all.map(({ kind }) => kind))
        await denials.deny(...all)
      },
    },
  }
  return Object.assign(state, { bus: { ...inner, stores } })
}

test('S5 refused by the store: `stored` is false, it is tried again at the end, and what is lost is said', async () => {
  for (const comesBack of [true, false]) {
    const store = failingBus()
    const node = await oneNode({ find: plain, bus: store.bus })
    await node.app.ready()
    store.down = true
    assert.deepEqual(await node.app.secureWs.revoke({ userId: 'ann' }), { closed: 0, stored: false })
    store.down = !comesBack
    await node.app.close()
    assert.deepEqual(store.kept, comesBack ? ['user'] : [])
    const lost = node.events.filter(
      ({ type, reason }) => type === 'relay.failed' && /\b1 revocations.*lost/.test(reason ?? ''),
    )
    assert.equal(lost.length, comesBack ? 0 : 1)
  }
})

test('S6 a JWT issued before the log-out does not come back, one issued after it does', async (t) => {
  const key = 'a secret of 32 bytes or more, really'
  const token = (iat: number, jti: string) =>
    new SignJWT({ iss: 'https://login', sub: 'ann', aud: 'chat', jti })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt(Math.floor(iat / 1000))
      .setExpirationTime('30d')
      .sign(new TextEncoder().encode(key))
  const authenticate = bearer({ key, algorithms: ['HS256'], issuer: 'https://login', audience: 'chat' })
  const { url, revoke } = await started(t, { find: plain, authenticate })
  const shown = async (iat: number, jti: string) => ({ headers: { authorization: `Bearer ${await token(iat, jti)}` } })
  await revoke({ userId: 'https://login|ann' })
  assert.equal(await statusOf(url, await shown(Date.now() - 600_000, 'old')), 401)
  assert.equal(await statusOf(url, await shown(Date.now() + 1_000, 'new')), 101)
})

test('S6 a ticket issued before the log-out opens nothing, one issued after it does', async (t) => {
  const tickets = ticket({ store: memoryTickets(), load: plain })
  const { url, revoke } = await started(t, { find: plain, authenticate: tickets })
  const issue = (id: string) => tickets.issue(plain(id), { origin: null, route: '/' })
  const shown = ({ protocol }: { protocol: string }) => ({ headers: { 'sec-websocket-protocol': protocol } })
  const before = await issue('ann.1')
  await revoke({ userId: 'ann' })
  assert.equal(await statusOf(url, shown(before)), 401)
  await sleep(2)
  assert.equal(await statusOf(url, shown(await issue('ann.2'))), 101)
})

test('S6 a login server 5 s ahead: whoever is connected is closed, and who signed in just before does not come back', async (t) => {
  const ahead = Date.now() + 5_000
  const { url, revoke } = await started(t, { find: (id) => ({ ...plain(id), authenticatedAt: ahead }) })
  const client = await openSocket(url, as('ann.1'))
  const bystander = await openSocket(url, as('bob.1'))
  assert.equal((await revoke({ userId: 'ann' })).closed, 1)
  assert.equal(await client.closed, 3000)
  assert.equal(await statusOf(url, as('ann.2')), 401)
  assert.equal(bystander.code, undefined)
  await bystander.close()
})
