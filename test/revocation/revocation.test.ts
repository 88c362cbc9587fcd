import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Session } from '../../src/index.ts'
import { openSocket, RefusedHandshake, type SocketClient, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

// One node, no Redis: what `revoke` promises, and the races around it (a thousand rounds each).
const rounds = 1_000
const user = (id: string): string => id.split('.')[0] ?? id
const plain = (id: string): Session => ({ id, userId: user(id), tokenId: `token of ${id}` })

/** What a client saw of a handshake: the status of its refusal, or how its socket ended. */
async function outcome(opening: Promise<SocketClient>): Promise<number | SocketClient> {
  try {
    return await opening
  } catch (error) {
    if (error instanceof RefusedHandshake) return error.status
    throw error
  }
}

test('SE-15 a session, a user, a token: what was revoked is closed and refused, its neighbour is not', async (t) => {
  const node = await oneNode({ find: plain })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  for (const subject of [{ sessionId: 'ann.1' }, { tokenId: 'token of ann.1' }]) {
    const end = Date.now() + 60_000
    const [one, two] = [await openSocket(url, as('ann.1')), await openSocket(url, as('ann.2'))]
    await node.app.secureWs.revoke(subject, { until: end })
    assert.equal(await one.closed, 3000)
    assert.equal(await statusOf(url, as('ann.1')), 401)
    assert.equal(two.code, undefined)
    assert.equal(await statusOf(url, as('ann.2')), 101)
    await two.close()
    t.mock.timers.setTime(end)
    assert.equal(await statusOf(url, as('ann.1')), 101, 'it is over')
  }
  await assert.rejects(async () => node.app.secureWs.revoke({} as { sessionId: string }), { code: 'SWS_BAD_SUBJECT' })
  await assert.rejects(node.app.secureWs.revoke({ userId: 'ann' }, { until: Number.NaN }), { code: 'SWS_BAD_OPTION' })
})

test('a user who is logged out signs in again; the same session does not come back; a ban refuses both', async (t) => {
  const since = new Map<string, number>()
  const node = await oneNode({
    find: (id) => ({ ...plain(id), ...(since.has(id) && { authenticatedAt: since.get(id) ?? 0 }) }),
  })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  since.set('ann.old', Date.now() - 1_000)
  const sockets = await Promise.all(['ann.1', 'ann.2', 'ann.old'].map((id) => openSocket(url, as(id))))
  const bystander = await openSocket(url, as('bob.1'))
  await node.app.secureWs.revoke({ userId: 'ann' })
  for (const socket of sockets) assert.equal(await socket.closed, 3000)
  for (const id of ['ann.1', 'ann.2', 'ann.old']) assert.equal(await statusOf(url, as(id)), 401, id)
  // Not connected at that moment, and it says when it was authenticated: older, so it was logged out too.
  since.set('ann.idle', Date.now() - 1_000)
  assert.equal(await statusOf(url, as('ann.idle')), 401)
  since.set('ann.new', Date.now() + 1)
  assert.equal(await statusOf(url, as('ann.new')), 101)
  assert.equal(await statusOf(url, as('ann.3')), 101)
  await node.app.secureWs.revoke({ userId: 'ann' }, { until: Date.now() + 60_000 })
  for (const id of ['ann.new', 'ann.3', 'ann.4']) assert.equal(await statusOf(url, as(id)), 401, id)
  assert.equal(bystander.code, undefined)
  await bystander.close()
})

test('SE-05 20 frames in flight: nothing is handled and nothing is sent after `revoke` was called', async (t) => {
  const node = await oneNode({ find: plain, limits: { messages: { perSecond: 1_000, burst: 1_000 } } })
  t.after(() => node.app.close())
  let handled = 0
  let afterwards = 0
  let revoked = false
  node.app.get(
    '/',
    {
      websocket: true,
      secureWs: { receives: { say: { schema: { type: 'object', properties: { n: { type: 'number' } } } } } },
    },
    (socket) => {
      socket.on('say', async () => {
        handled++
        if (revoked) afterwards++
        if (handled === 5) {
          const gone = node.app.secureWs.revoke({ sessionId: socket.session?.id ?? '' })
          revoked = true
          // The listener goes on with what it was doing; none of it leaves.
          socket.send({ type: 'after' })
          await gone
          socket.send({ type: 'after' })
          return 'after'
        }
        socket.send({ type: 'handled' })
        return undefined
      })
    },
  )
  const url = (await node.listen())('/')
  const client = await openSocket(url, as('ann.1'))
  for (let n = 0; n < 20; n++) client.send({ type: 'say', id: n, n })
  assert.equal(await client.closed, 3000)
  assert.equal(handled, 5)
  assert.equal(afterwards, 0)
  assert.equal(client.heard.filter(({ type }) => type === 'after').length, 0)
  assert.equal(client.heard.filter(({ type }) => type === 'handled').length, 4)
  assert.equal(
    client.heard.some(({ value }) => value === 'after'),
    false,
  )
})

// The credential is good when it is looked up and revoked before the look-up has answered. `wait` is where it waits.
for (const wait of ['authenticate', 'authorize', 'preHandler'] as const) {
  for (const kind of ['sessionId', 'userId', 'tokenId'] as const) {
    test(`SE-06 revoked by ${kind} while ${wait} waits: never a socket that goes on`, async (t) => {
      const subjects = new Map<string, () => Promise<unknown>>()
      const meanwhile = async (id: string): Promise<void> => {
        await turn()
        await subjects.get(id)?.()
        await turn()
      }
      const node = await oneNode({
        find: async (id) => {
          if (wait === 'authenticate') await meanwhile(id)
          return plain(id)
        },
      })
      t.after(() => node.app.close())
      let alive = 0
      node.app.get(
        '/',
        {
          websocket: true,
          preHandler: async (request) => {
            if (wait === 'preHandler') await meanwhile(String(request.headers['x-session']))
          },
          secureWs: {
            authorize: async (session) => {
              if (wait === 'authorize') await meanwhile(session?.id ?? '')
              return true
            },
          },
        },
        (socket) => {
          const before = alive
          socket.on('message', () => alive++)
          socket.join('lobby')
          assert.equal(alive, before)
        },
      )
      const url = (await node.listen())('/')
      let rest = Math.ceil(rounds / 3)
      const worker = async (): Promise<void> => {
        while (rest-- > 0) {
          const id = `u${rest}.1`
          const subject = { sessionId: id, userId: user(id), tokenId: `token of ${id}` }[kind]
          subjects.set(id, () => node.app.secureWs.revoke({ [kind]: subject } as { sessionId: string }))
          const seen = await outcome(openSocket(url, as(id)))
          if (typeof seen === 'number') assert.equal(seen, 401)
          else assert.equal(await seen.closed, 3000)
        }
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      // The near miss, with all that was revoked still in force.
      const other = await openSocket(url, as('nobody.1'))
      await until(() => node.app.secureWs.stats().sockets === 1, 'it alone is left')
      assert.equal(node.app.secureWs.stats().rooms, 1)
      await other.close()
    })
  }
}

test('BR-02 join racing revoke, 1,000 rounds: whichever is first, no ghost is left in a room and nothing reaches it', async (t) => {
  const node = await oneNode({ find: plain, limits: { messages: { perSecond: 1_000, burst: 1_000 } } })
  t.after(() => node.app.close())
  const { secureWs } = node.app
  node.app.get('/', { websocket: true }, (socket) => {
    const id = socket.session?.id ?? ''
    const number = Number(id.slice(1))
    const join = () => socket.join('lobby')
    const revoke = () => void secureWs.revoke({ sessionId: id })
    const [first, second] = number % 2 ? [join, revoke] : [revoke, join]
    // A listener that was waiting all the while goes on when nobody would ever take it out of the room again.
    socket.on('close', () => setImmediate(() => socket.join('late')))
    if (number % 3 === 0) {
      first()
      second()
    } else {
      queueMicrotask(first)
      if (number % 3 === 1) queueMicrotask(second)
      else setImmediate(second)
    }
    setImmediate(() => setImmediate(() => secureWs.to('lobby').send({ type: 'told', after: id })))
  })
  const url = (await node.listen())('/')
  let rest = rounds
  const worker = async (): Promise<void> => {
    while (rest > 0) {
      const id = `s${--rest}`
      const client = await openSocket(url, as(id))
      assert.equal(await client.closed, 3000)
      // What others sent between its join and its revocation may have come; what was sent afterwards must not.
      assert.equal(
        client.heard.some(({ after }) => after === id),
        false,
      )
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  while (secureWs.stats().sockets > 0) await turn()
  for (let later = 0; later < 5; later++) await turn()
  assert.equal(secureWs.stats().rooms, 0)
  assert.deepEqual(await secureWs.members('lobby'), [])
})
