import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import type { Session } from '../../src/index.ts'
import { rawConnect } from '../harness/raw-client.ts'
import { isEmpty } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { type Asked, assertRefused, type Journey, startJourney } from './journey.ts'

// RS-11, CS-19: N + 1 at once get exactly N, and every way out gives a place back, once.

const byHeader = ({ headers }: { headers: NodeJS.Dict<string | string[]> }): Session | null => {
  const id = headers['x-session']
  if (typeof id !== 'string') return null
  const userId = headers['x-user']
  return { id, ...(typeof userId === 'string' && { userId }) }
}
const many = {
  connectionsPerAddress: 1_000,
  connectionsPerSession: 1_000,
  connectionsPerUser: 1_000,
  handshakesPerMinutePerAddress: 10_000,
}

/** Written in one go to connections that are open already, so that the server meets them together. */
async function atOnce({ port, bytes }: Journey, asked: readonly Asked[], t: { after(done: () => void): void }) {
  const connections = await Promise.all(asked.map(() => rawConnect({ port })))
  t.after(() => {
    for (const connection of connections) connection.close()
  })
  for (const [index, connection] of connections.entries()) connection.write(bytes(asked[index]))
  const answers = await Promise.all(connections.map((connection) => connection.answer()))
  return { connections, answers, admitted: connections.filter((_, index) => answers[index]?.status === 101) }
}

const fifty = (each: (index: number) => Asked) => Array.from({ length: 50 }, (_, index) => each(index))

const caps = [
  ['connections', { connections: 10 }, 503, (index: number) => ({ headers: { 'X-Session': `s${index}` } })],
  [
    'connectionsPerAddress',
    { connectionsPerAddress: 10 },
    429,
    (index: number) => ({ headers: { 'X-Session': `s${index}` } }),
  ],
  ['connectionsPerSession', { connectionsPerSession: 10 }, 429, () => ({ headers: { 'X-Session': 's1' } })],
  [
    'connectionsPerUser',
    { connectionsPerUser: 10 },
    429,
    (index: number) => ({ headers: { 'X-Session': `s${index}`, 'X-User': 'ada' } }),
  ],
] as const

for (const [name, cap, status, asked] of caps) {
  test(`RS-11 CS-19 ${name}: 50 at once against 10 places`, async (t) => {
    let asking = 0
    let awaited = 50
    const refused = () => journey.events.filter(({ code }) => code === 'SWS_TOO_MANY_CONNECTIONS').length
    const journey: Journey = await startJourney(t, {
      // Nobody is let in, and keeps a place for good, before all of them are here.
      authenticate: async (request) => {
        asking++
        await until(() => asking + refused() >= awaited, 'all have come')
        return byHeader(request)
      },
      limits: { ...many, ...cap },
    })
    const { answers, admitted } = await atOnce(journey, fifty(asked), t)
    assert.equal(admitted.length, 10)
    for (const answer of answers.filter((answer) => answer.status !== 101)) {
      assertRefused(answer, status, 'SWS_TOO_MANY_CONNECTIONS')
      assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/)
    }
    const { stats } = journey.app.secureWs
    await until(() => stats().connections === 10, 'the refused ones hold nothing')

    // One goes: one comes, and no more than one.
    admitted[0]?.reset()
    await until(() => stats().connections === 9, 'the place is free')
    awaited = asking + refused() + 2
    const next = await atOnce(journey, [asked(50), asked(51)], t)
    assert.deepEqual(next.answers.map((answer) => answer.status).sort(), [101, status])
    for (const connection of [...admitted, ...next.connections]) connection.close()
    await until(() => stats().connections === 0, 'every place is free')
    assert.equal(isEmpty(journey.app), true)
  })
}

test('RS-16 handshakesPerMinutePerAddress counts every handshake that asks for a place, refused ones too', async (t) => {
  const { ask } = await startJourney(t, {
    authenticate: byHeader,
    limits: { ...many, handshakesPerMinutePerAddress: 5 },
  })
  for (let count = 0; count < 5; count++) assert.equal((await ask()).status, 401)
  const answer = await ask({ headers: { 'X-Session': 's1' } })
  assertRefused(answer, 429, 'SWS_TOO_MANY_HANDSHAKES', 'Too Many Requests')
  const wait = Number(answer.headers['retry-after'])
  assert.ok(wait >= 1 && wait <= 60, String(wait))
})

// 6.3.1: passwords cannot be tried without end, and who guesses does not lock others out.
test('6.3.1 somebody who guesses is slowed down, another address is not', async (t) => {
  const { ask } = await startJourney(
    t,
    { origins: ['https://app.example'], authenticate: byHeader, limits: { handshakesPerMinutePerAddress: 20 } },
    { server: { trustProxy: '127.0.0.1' } },
  )
  const from = (address: string, session?: string) =>
    ask({
      headers: {
        Host: 'app.example',
        Origin: 'https://app.example',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-For': address,
        'X-Session': session,
      },
    })
  const answers = []
  // RS-12: another address of the same IPv6 network each time.
  for (let count = 0; count < 30; count++) answers.push((await from(`2001:db8::${count.toString(16)}`)).status)
  assert.deepEqual(answers, [...Array(20).fill(401), ...Array(10).fill(429)])
  assert.equal((await from('2001:db8:0:1::1', 's1')).status, 101)
})

test('7.1.2 whenFull: evict-oldest closes the oldest with 1008, one for each newcomer', async (t) => {
  const { app, open } = await startJourney(t, {
    authenticate: byHeader,
    limits: { ...many, connectionsPerSession: 3 },
    session: { whenFull: 'evict-oldest' },
  })
  const headers = { 'X-Session': 's1' }
  const closed: number[] = []
  for (let count = 0; count < 5; count++) {
    const { answer, connection } = await open({ headers })
    assert.equal(answer.status, 101)
    // A close frame of the server with code 1008, read by a client that never answers it.
    connection.socket.on('data', (chunk: Buffer) => {
      if (chunk[0] === 0x88 && chunk.readUInt16BE(2) === 1008) closed.push(count)
    })
    connection.socket.resume()
  }
  await until(() => closed.length === 2, 'two have been told to go')
  assert.deepEqual(closed, [0, 1])
  assert.equal(app.secureWs.sockets({ sessionId: 's1' }).length, 3)
  // Another session is not touched, and touches nobody.
  assert.equal((await open({ headers: { 'X-Session': 's2' } })).answer.status, 101)
  assert.equal(app.secureWs.sockets({ sessionId: 's1' }).length, 3)
})

test('a route may have caps of its own for sessions', async (t) => {
  const { open, ask } = await startJourney(
    t,
    { authenticate: byHeader, limits: many },
    {
      routes(app) {
        app.get('/one', { websocket: true, secureWs: { limits: { connectionsPerSession: 1 } } }, () => {})
        app.get('/many', { websocket: true }, () => {})
      },
    },
  )
  const headers = { 'X-Session': 's1' }
  assert.equal((await open({ target: '/one', headers })).answer.status, 101)
  assertRefused(await ask({ target: '/one', headers }), 429, 'SWS_TOO_MANY_CONNECTIONS')
  assert.equal((await open({ target: '/many', headers })).answer.status, 101)
})

// D4: a page of strangers makes its visitor's browser knock here for ever. What it spends is not the visitor's.
for (const [name, origins] of [
  ['a list', ['https://app.example']],
  ['a function', (origin: string) => origin === 'https://app.example'],
  ['an async function', async (origin: string) => origin === 'https://app.example'],
] as const) {
  test(`RS-16 a hundred handshakes of a foreign origin leave the visitor's own ones alone: ${name}`, async (t) => {
    const { ask } = await startJourney(t, {
      origins: typeof origins === 'function' ? origins : [...origins],
      hosts: ['app.example'],
      allowInsecureTransport: true,
      limits: { ...many, handshakesPerMinutePerAddress: 3 },
    })
    const from = (Origin: string) => ask({ headers: { Host: 'app.example', Origin } })
    for (let count = 0; count < 100; count++) assert.equal((await from('https://evil.example')).status, 403)
    for (let count = 0; count < 3; count++) assert.equal((await from('https://app.example')).status, 101)
    assert.equal((await from('https://app.example')).status, 429)
  })
}

test('RS-16 refusedPerMinutePerAddress: then 429 before anything else is looked at, whatever was asked for', async (t) => {
  let asked = 0
  const { ask, events } = await startJourney(
    t,
    {
      origins: () => {
        asked++
        return false
      },
      authenticate: byHeader,
      limits: { ...many, refusedPerMinutePerAddress: 5 },
    },
    { server: { trustProxy: '127.0.0.1' } },
  )
  const from = (address: string, target = '/ws') =>
    ask({ target, headers: { 'X-Forwarded-For': address, 'X-Forwarded-Proto': 'https' } })
  for (let count = 0; count < 3; count++) assert.equal((await from('192.0.2.7')).status, 403)
  for (let count = 0; count < 2; count++) assert.equal((await from('192.0.2.7', '/nowhere')).status, 404)
  for (const target of ['/ws', '/nowhere']) {
    const answer = await from('192.0.2.7', target)
    assertRefused(answer, 429, 'SWS_TOO_MANY_HANDSHAKES', 'Too Many Requests')
    const wait = Number(answer.headers['retry-after'])
    assert.ok(wait >= 1 && wait <= 60, String(wait))
  }
  assert.equal(asked, 3)
  assert.match(events.at(-1)?.reason ?? '', /192\.0\.2\.7 was refused too often/)
  assert.equal((await from('192.0.2.8')).status, 403)
})

// A store that is down must not lock its users out for the minute after.
test('what is refused because our own side failed is not counted', async (t) => {
  let down = true
  const { ask } = await startJourney(t, {
    authenticate: () => {
      if (down) throw new Error('down')
      return { id: 's1' }
    },
    limits: { ...many, refusedPerMinutePerAddress: 3 },
  })
  for (let count = 0; count < 6; count++) assert.equal((await ask()).status, 503)
  down = false
  assert.equal((await ask()).status, 101)
})

// D4: a thousand at once asked the function a thousand times at once, whatever the limits said.
test('RS-11 handshakes are counted before the application is asked about their origin', async (t) => {
  let asked = 0
  const refused = () => journey.events.filter(({ code }) => code === 'SWS_TOO_MANY_CONNECTIONS').length
  const journey: Journey = await startJourney(t, {
    origins: async () => {
      asked++
      await until(() => asked + refused() === 50, 'all have come')
      return true
    },
    limits: { ...many, connectionsPerAddress: 5 },
  })
  const { answers } = await atOnce(
    journey,
    fifty(() => ({})),
    t,
  )
  assert.equal(asked, 5)
  assert.deepEqual(
    [101, 429].map((status) => answers.filter((answer) => answer.status === status).length),
    [5, 45],
  )
})

// D4: a good socket was closed for a handshake that `authorize` then refused.
test('7.1.2 evict-oldest: nobody is closed for a handshake that is refused, by whichever question', async (t) => {
  let allowed = true
  let waiting = false
  const { app, open, ask, port, bytes } = await startJourney(
    t,
    {
      authenticate: byHeader,
      limits: { ...many, connectionsPerSession: 1 },
      session: { whenFull: 'evict-oldest' },
      websocket: { options: { verifyClient: ({ req }: { req: IncomingMessage }) => req.url !== '/verified' } },
    },
    {
      routes(instance) {
        const authorize = async () => allowed
        instance.get('/ws', { websocket: true, secureWs: { authorize } }, () => {})
        const preHandler = async (_request: object, reply: { code(status: number): { send(): unknown } }) =>
          reply.code(402).send()
        instance.get('/unpaid', { websocket: true, preHandler }, () => {})
        const never = () => {
          waiting = true
        }
        instance.get('/slow', { websocket: true, preHandler: never }, () => {})
        instance.get('/verified', { websocket: true }, () => {})
        const params = { type: 'object', properties: { id: { type: 'integer' } } }
        instance.get('/of/:id', { websocket: true, schema: { params } }, () => {})
      },
    },
  )
  const headers = { 'X-Session': 's1' }
  assert.equal((await open({ headers })).answer.status, 101)
  const [first] = app.secureWs.sockets()
  allowed = false
  assert.equal((await ask({ headers })).status, 403)
  assert.equal((await ask({ headers, target: '/verified' })).status, 403)
  assert.equal((await ask({ headers, target: '/of/x' })).status, 400)
  // A hook of the application, after all of ours; and a client that does not wait for it.
  assert.equal((await ask({ headers, target: '/unpaid' })).status, 402)
  const impatient = await rawConnect({ port })
  impatient.write(bytes({ headers, target: '/slow' }))
  await until(() => waiting, 'it waits')
  // The place of the one that is to go is promised to this one.
  assert.equal((await ask({ headers })).status, 429)
  impatient.reset()
  await until(() => app.secureWs.stats().connections === 1, 'it has given up')
  assert.deepEqual(app.secureWs.sockets(), [first])
  allowed = true
  assert.equal((await open({ headers })).answer.status, 101)
  assert.notEqual(app.secureWs.sockets()[0]?.id, first?.id)
})
