import assert from 'node:assert/strict'
import { tracingChannel } from 'node:diagnostics_channel'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import secureWs, { SecureWsError, type SecureWsOptions } from '../../src/index.ts'
import { json, text as textFrame } from '../harness/frames.ts'
import { Random } from '../harness/random.ts'
import type { RawPeer } from '../harness/raw-peer.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
const receives = { say: { schema: text, reply: { type: 'boolean' } } } as const
const plain = {
  receives,
  sends: {
    said: { schema: text },
    confirm: { schema: text, reply: { type: 'boolean' } },
    note: { schema: { type: 'object' }, reply: { type: 'string', sanitize: ['strip-tags', 'one-line'] } },
  },
} as const
const rich = {
  receives,
  sends: {
    profile: {
      schema: { type: 'object' },
      reply: {
        type: 'object',
        properties: {
          name: { type: 'string', sanitize: ['trim'], maxLength: 10 },
          about: { type: 'string', contentMediaType: 'text/html' },
        },
        required: ['name'],
      },
    },
    page: {
      schema: { type: 'object', properties: { body: { type: 'string', contentMediaType: 'text/html' } } },
      reply: { type: 'null' },
    },
  },
} as const

/** A socket as a test asks it, for whatever the types of the route would not let it ask. */
interface Asking {
  request(type: string, body: unknown, options?: { timeout?: unknown; signal?: AbortSignal }): Promise<unknown>
  close(): void
}

interface Asked extends TestServer {
  readonly peer: RawPeer
  readonly socket: Asking
  /** The envelope of this number that the client was sent. */
  asked(number?: number): Promise<{ readonly id: number; readonly message: unknown }>
}

async function open(
  t: TestContext,
  limits: SecureWsOptions['limits'] = {},
  { route = plain, onSay = () => true }: { route?: object; onSay?: (socket: Asking) => unknown } = {},
): Promise<Asked> {
  const sockets: Asking[] = []
  const server = await startServer(t, { limits }, (app) =>
    app.get('/ws', { websocket: true, secureWs: route as typeof plain }, (opened) => {
      const socket: Asking = {
        request: (...asked) => Reflect.apply(opened.request, opened, asked),
        close: () => opened.close(),
      }
      sockets.push(socket)
      opened.on('say', async () => (await onSay(socket)) === true)
    }),
  )
  const peer = await server.connect()
  await until(() => sockets.length === 1, 'the handler ran')
  const requests = () => peer.messages.filter((each) => Reflect.get(Object(each), 'type') === 'request')
  return {
    ...server,
    peer,
    socket: sockets[0] as Asking,
    async asked(number = 1) {
      await until(() => requests().length >= number, `${number} requests came`)
      return requests()[number - 1] as { id: number; message: unknown }
    },
  }
}

const unexpected = (value: unknown): never => assert.fail(`resolved with ${String(value)}`)

const isError = (code: string) => (error: unknown) => {
  assert.ok(error instanceof SecureWsError)
  assert.equal(error.code, code)
  return true
}

const errorsTo = ({ peer }: Asked) => peer.messages.filter((each) => Reflect.get(Object(each), 'type') === 'error')
const refusedOf = ({ events }: Asked) => events.filter(({ type }) => type === 'message.refused')

test('a client is asked, encoded and projected, and its answer is what the schema says', async (t) => {
  const { socket, asked, peer } = await open(t)
  const answer = socket.request('confirm', { text: '<b>sure?</b>', secret: 'hash' })
  const { id, message } = await asked()
  assert.deepEqual(message, { type: 'confirm', text: '&lt;b&gt;sure?&lt;/b&gt;' })
  peer.write(json({ type: 'reply', id, value: true }))
  assert.equal(await answer, true)
})

test('an answer is cleaned, its texts and its markup, and so is the markup of a question', async (t) => {
  const { socket, asked, peer } = await open(t, {}, { route: rich })
  const profile = socket.request('profile', {})
  const value = { name: '  Ada  ', about: '<b>hi</b><img src=x onerror=alert(1)>' }
  peer.write(json({ type: 'reply', id: (await asked()).id, value }))
  assert.deepEqual(await profile, { name: 'Ada', about: '<b>hi</b>' })
  const page = socket.request('page', { body: '<p onclick=x()>ok</p>' })
  const { id, message } = await asked(2)
  assert.deepEqual(message, { type: 'page', body: '<p>ok</p>' })
  peer.write(json({ type: 'reply', id, value: null }))
  assert.equal(await page, null)
})

test('a text that is all of the answer is cleaned, too; a question that cannot be made is refused at once', async (t) => {
  const { socket, asked, peer, events } = await open(t)
  const note = socket.request('note', {})
  peer.write(json({ type: 'reply', id: (await asked()).id, value: '<i>one</i>\ntwo' }))
  assert.equal(await note, 'one two')
  await assert.rejects(socket.request('confirm', { text: 7 }), isError('SWS_INVALID_OUTPUT'))
  await assert.rejects(socket.request('said', { text: '' }), isError('SWS_UNDECLARED_TYPE'))
  await assert.rejects(socket.request('__proto__', {}), isError('SWS_UNDECLARED_TYPE'))
  for (const timeout of [0, -1, Number.NaN, 2 ** 31, '5']) {
    await assert.rejects(socket.request('confirm', { text: '' }, { timeout }), isError('SWS_BAD_OPTION'))
  }
  assert.equal(events.filter(({ type }) => type === 'output.refused').length, 1)
  assert.equal(peer.messages.length, 1, 'nothing of it left')
})

test('a listener waits for an answer that comes behind other messages', async (t) => {
  const server = await open(t, {}, { onSay: (socket) => socket.request('confirm', { text: 'delete it?' }) })
  const { peer, asked } = server
  peer.write(json({ type: 'say', text: 'delete', id: 1 }), json({ type: 'say', text: 'next', id: 2 }))
  peer.write(json({ type: 'reply', id: (await asked()).id, value: false }))
  peer.write(json({ type: 'reply', id: (await asked(2)).id, value: true }))
  const replies = () => peer.messages.filter((each) => Reflect.get(Object(each), 'type') === 'reply')
  await until(() => replies().length === 2, 'both were answered')
  assert.deepEqual(replies(), [
    { type: 'reply', id: 1, value: false },
    { type: 'reply', id: 2, value: true },
  ])
  assert.deepEqual(refusedOf(server), [])
})

// --- attacks ---

test('an answer that never comes ends the request at its deadline, once; one that comes later is nobody any more, and no offence', async (t) => {
  const server = await open(t, { refusals: { perMinute: 1 } })
  const { socket, asked, peer } = server
  const outcomes: unknown[] = []
  const never = socket.request('confirm', { text: '' }, { timeout: 30 }).catch((error: unknown) => {
    outcomes.push(error)
  })
  const { id } = await asked()
  await never
  assert.ok(isError('SWS_NO_ANSWER')(outcomes[0]))
  peer.write(json({ type: 'reply', id, value: true }))
  const next = socket.request('confirm', { text: '' })
  peer.write(json({ type: 'reply', id: (await asked(2)).id, value: true }))
  assert.equal(await next, true)
  assert.equal(outcomes.length, 1)
  assert.deepEqual(refusedOf(server), [])
})

test('a second answer, an answer to nothing, and one under the id of a neighbour change nothing, and count', async (t) => {
  const server = await open(t)
  const { socket, asked, peer } = server
  const other = await server.connect()
  const first = socket.request('confirm', { text: '' })
  const { id } = await asked()
  // The neighbour was asked nothing.
  other.write(json({ type: 'reply', id, value: false }))
  await until(() => refusedOf(server).length === 1, 'the neighbour was refused')
  peer.write(json({ type: 'reply', id, value: true }), json({ type: 'reply', id, value: false }))
  assert.equal(await first, true)
  await until(() => refusedOf(server).length === 2, 'the second one was refused')
  for (const forged of [99, -1, 0, 1.5, '1', null]) peer.write(json({ type: 'reply', id: forged, value: true }))
  peer.write(json({ type: 'error', id: 7, code: 'SWS_INTERNAL' }))
  await until(() => refusedOf(server).length === 9, 'all of them were')
  for (const error of errorsTo(server)) assert.equal(Reflect.get(Object(error), 'id'), undefined)
})

const wrong: readonly (readonly [string, string])[] = [
  ['a value of another type', '{"type":"reply","id":ID,"value":"true"}'],
  ['a member more', '{"type":"reply","id":ID,"value":true,"admin":true}'],
]
for (const [name, frame] of wrong) {
  test(`${name} is no answer: the request rejects, and the client is told without an id`, async (t) => {
    const server = await open(t)
    const { socket, asked, peer } = server
    const answer = socket.request('confirm', { text: '' }).then(unexpected, (error) => error)
    peer.write(textFrame(frame.replace('ID', String((await asked()).id))))
    const error = await answer
    assert.ok(isError('SWS_INVALID_ANSWER')(error))
    await until(() => errorsTo(server).length === 1, 'it was told')
    assert.deepEqual(errorsTo(server), [{ type: 'error', code: 'SWS_INVALID_MESSAGE' }])
  })
}

test('the nearest misses of an answer resolve nothing: no value, keys twice, __proto__, a hidden type, half of it', async (t) => {
  const server = await open(t, { refusals: { perMinute: 100 } })
  const { socket, asked, peer } = server
  const outcomes: unknown[] = []
  const frames = [
    '{"type":"reply","id":ID}',
    '{"type":"error","id":ID}',
    '{"type":"error","id":ID,"code":"<script>"}',
    '{"type":"\\u0072eply","id":ID,"value":true}',
    '{"type":"reply","id":ID,"value":true,"value":true}',
    '{"type":"reply","id":ID,"__proto__":{"value":true}}',
    '{"type":"reply","id":ID,"value":true',
    '[{"type":"reply","id":ID,"value":true}]',
    '{"type":"Reply","id":ID,"value":true,"x":"\\"reply\\""}',
  ]
  for (const [at, frame] of frames.entries()) {
    const request = socket.request('confirm', { text: '' }, { timeout: 3_000 })
    request.catch(({ code }: SecureWsError) => code).then((outcome) => outcomes.push(outcome))
    peer.write(textFrame(frame.replace('ID', String((await asked(at + 1)).id))))
    await until(() => refusedOf(server).length === at + 1, `refused: ${frame}`)
  }
  await until(() => outcomes.length === frames.length, 'each has an end')
  const [invalid, silent] = [Array(3).fill('SWS_INVALID_ANSWER'), Array(6).fill('SWS_NO_ANSWER')]
  assert.deepEqual(outcomes, [...invalid, ...silent])
})

test('so many requests wait and no more; each one that ends makes room', async (t) => {
  const { socket, asked, peer } = await open(t, { requests: 3 })
  const waiting = [1, 2, 3].map((each) => socket.request('confirm', { text: String(each) }))
  await assert.rejects(socket.request('confirm', { text: '4' }), isError('SWS_TOO_MANY_REQUESTS'))
  peer.write(json({ type: 'error', id: (await asked(2)).id, code: 'SWS_NO_LISTENER' }))
  await assert.rejects(waiting[1] as Promise<unknown>, isError('SWS_DECLINED'))
  const fifth = socket.request('confirm', { text: '5' })
  peer.write(json({ type: 'reply', id: (await asked(4)).id, value: true }))
  assert.equal(await fifth, true)
  await assert.rejects(socket.request('confirm', {}), isError('SWS_INVALID_OUTPUT'))
  await socket
    .request('confirm', { text: '' }, { signal: AbortSignal.abort('enough') })
    .then(unexpected, (reason) => assert.equal(reason, 'enough'))
  const gone = new AbortController()
  const aborted = socket.request('confirm', { text: '' }, { signal: gone.signal })
  gone.abort('later')
  await aborted.then(unexpected, (reason) => assert.equal(reason, 'later'))
})

// Markup is cleaned by another thread, and everything else goes on meanwhile.
test('while an answer is cleaned, a second one finds nothing', async (t) => {
  const server = await open(t, {}, { route: rich })
  const { socket, asked, peer } = server
  const profile = socket.request('profile', {})
  const { id } = await asked()
  const answer = (name: string) => json({ type: 'reply', id, value: { name, about: '<b>hi</b>'.repeat(500) } })
  peer.write(answer('first'), answer('second'))
  assert.equal(Reflect.get(Object(await profile), 'name'), 'first')
  await until(() => refusedOf(server).length === 1, 'the second one was refused')
})

test('the end of the socket ends a request whose answer is being cleaned', async (t) => {
  const server = await open(t, {}, { route: rich })
  const { socket, asked, peer } = server
  const profile = socket.request('profile', {}).then(unexpected, (error) => error)
  const { id } = await asked()
  peer.write(json({ type: 'reply', id, value: { name: 'Ada', about: '<b>hi</b>'.repeat(2_000) } }))
  peer.reset()
  assert.ok(isError('SWS_CLOSED')(await profile))
  await server.empty()
})

test('late answers are forgiven, as many as may wait, and no more', async (t) => {
  const server = await open(t, { requests: 2, refusals: { perMinute: 100 } })
  const { socket, asked, peer } = server
  const ids: number[] = []
  for (let number = 1; number <= 5; number++) {
    const request = socket.request('confirm', { text: '' }, { timeout: 5 }).catch(() => {})
    ids.push((await asked(number)).id)
    await request
  }
  for (const id of ids) peer.write(json({ type: 'reply', id, value: true }))
  const last = socket.request('confirm', { text: '' })
  peer.write(json({ type: 'reply', id: (await asked(6)).id, value: true }))
  assert.equal(await last, true)
  assert.equal(refusedOf(server).length, 3, 'those of the three that nobody remembers')
})

test('who watches the tracing channel hears of an answer, and of the refusal of one', async (t) => {
  const { socket, asked, peer } = await open(t)
  const ended: unknown[] = []
  const channel = tracingChannel('fastify-secure-ws:message')
  const note = (said: unknown) => ended.push([Reflect.get(Object(said), 'type'), Reflect.get(Object(said), 'code')])
  const subscribers = { start() {}, end: note, asyncStart() {}, asyncEnd() {}, error() {} }
  channel.subscribe(subscribers)
  t.after(() => channel.unsubscribe(subscribers))
  const answer = socket.request('confirm', { text: '' })
  const { id } = await asked()
  peer.write(json({ type: 'reply', id, value: true }))
  assert.equal(await answer, true)
  const wrong = socket.request('confirm', { text: '' }).then(unexpected, (error) => error)
  peer.write(json({ type: 'reply', id: (await asked(2)).id, value: 'yes' }))
  await wrong
  await until(() => ended.length === 2, 'both were told of')
  assert.deepEqual(ended, [
    ['reply', undefined],
    ['reply', 'SWS_INVALID_MESSAGE'],
  ])
})

for (const [how, end] of [
  ['the client resets', ({ peer }: Asked) => peer.reset()],
  ['the server closes', ({ socket }: Asked) => socket.close()],
  ['the session is drained', ({ app }: Asked) => void app.secureWs.drain()],
] as const) {
  test(`${how}: every request rejects once with SWS_CLOSED, and whoever does not listen does not end the process`, async (t) => {
    const server = await open(t)
    let ended = 0
    const waiting = [1, 2].map((each) =>
      server.socket.request('confirm', { text: String(each) }).then(unexpected, (error) => {
        ended++
        assert.ok(isError('SWS_CLOSED')(error))
      }),
    )
    void server.socket.request('confirm', { text: 'nobody listens' })
    const { id } = await server.asked(3)
    end(server)
    await Promise.all(waiting)
    if (!server.peer.gone) server.peer.write(json({ type: 'reply', id, value: true }))
    await assert.rejects(server.socket.request('confirm', { text: '' }), isError('SWS_CLOSED'))
    await sleep(20)
    assert.equal(ended, 2)
    server.peer.reset()
    await server.empty()
  })
}

test('a flood of forged answers ends the socket, as any flood of wrong messages does', async (t) => {
  const server = await open(t, { refusals: { perMinute: 5 } })
  const waiting = server.socket.request('confirm', { text: '' }).then(unexpected, (error) => error)
  await server.asked()
  for (let id = 100; id < 110; id++) server.peer.write(json({ type: 'reply', id, value: true }))
  assert.equal(await server.peer.closeCode(), 1008)
  assert.ok(isError('SWS_CLOSED')(await waiting))
})

test('a route that asks must receive; one that asks nobody takes no answer', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false })
  const sends = { confirm: { schema: text, reply: { type: 'boolean' } } } as const
  assert.throws(
    () => app.get('/raw', { websocket: true, secureWs: { sends } }, () => {}),
    /sends\.confirm\.reply` is .*receives: \{\}/,
  )
  for (const reply of ['boolean', { type: 'bool' }, { pattern: '(a+)+$' }] as const) {
    const bad = { receives: {}, sends: { confirm: { schema: text, reply } } }
    assert.throws(
      () => app.get('/bad', { websocket: true, secureWs: bad as never }, () => {}),
      isError('SWS_BAD_OPTION'),
    )
  }
  const server = await startServer(t, {}, (other) =>
    other.get('/ws', { websocket: true, secureWs: { receives: {}, sends } }, () => {}),
  )
  const peer = await server.connect()
  peer.write(json({ type: 'reply', id: 1, value: true }))
  await until(() => peer.messages.length === 1, 'it was refused')
  assert.deepEqual(peer.messages, [{ type: 'error', code: 'SWS_UNKNOWN_TYPE' }])
})

test('whatever a client says, each of many requests ends once, with its own answer or an error', async (t) => {
  const server = await open(t, { refusals: { perMinute: 1_000_000 }, requests: 50 })
  const { socket, peer, asked } = server
  const random = new Random(17)
  let sent = 0
  for (let round = 0; round < 20; round++) {
    const outcomes = Array.from({ length: 20 }, (_, at) => {
      const number = ++sent
      return socket.request('note', { at }, { timeout: 60 }).then(
        (value) => ({ number, value }),
        (error: SecureWsError) => ({ number, code: error.code }),
      )
    })
    await asked(sent)
    for (let each = 0; each < 60; each++) {
      const id = sent - 25 + random.below(30)
      const kind = random.below(4)
      if (kind === 0) peer.write(json({ type: 'error', id, code: 'SWS_INTERNAL' }))
      else if (kind === 1) peer.write(json({ type: 'reply', id, value: { of: id } }))
      else peer.write(json({ type: 'reply', id, value: `answer to ${id}` }))
    }
    for (const outcome of await Promise.all(outcomes)) {
      if ('value' in outcome) assert.equal(outcome.value, `answer to ${outcome.number}`)
      else assert.match(outcome.code, /^SWS_(?:DECLINED|INVALID_ANSWER|NO_ANSWER)$/)
    }
  }
})
