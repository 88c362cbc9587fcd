import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { memoryBus } from '../../src/index.ts'
import type { Bus } from '../../src/relay/bus.ts'
import { startServer } from '../harness/server.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

// Who sends documents that take long is slowed down and put out; everybody else does not notice.

const text = { type: 'string', minLength: 1 }
const html = { type: 'string', minLength: 1, contentMediaType: 'text/html' }
const messageOf = (properties: object) => ({
  schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
})

async function startChat(t: TestContext, bus: Bus = memoryBus()) {
  const server = await startServer(
    t,
    { bus, allowMissingOrigin: true, authenticate: (request) => ({ id: String(request.headers['x-user']) }) },
    (app) => {
      const receives = { post: messageOf({ html }), posts: messageOf({ list: { type: 'array', items: html } }) }
      app.get('/', { websocket: true, secureWs: { receives } }, (socket) => {
        socket.on('post', (message) => socket.send({ type: 'clean', ...Object(message) }))
        socket.on('posts', (message) => socket.send({ type: 'cleaned', count: Object(message).list.length }))
      })
      const sends = { shown: messageOf({ html }) }
      app.get('/out', { websocket: true, secureWs: { receives: { say: messageOf({ text }) }, sends } }, (socket) => {
        socket.on('say', (message) => socket.send({ type: 'shown', html: Object(message).text }))
      })
      app.get('/room', { websocket: true, secureWs: { receives: { say: messageOf({ text }) }, sends } }, (socket) => {
        socket.join('lobby')
        socket.on('say', (message) => socket.to('lobby').send({ type: 'shown', html: Object(message).text }))
      })
      const answers = { say: { ...messageOf({ text }), reply: html } }
      app.get('/answer', { websocket: true, secureWs: { receives: answers } }, (socket) => {
        socket.on('say', (message) => Object(message).text)
      })
      const list = { type: 'array', items: { ...html, minLength: 0 } }
      for (const refusedHtml of ['refuse', 'mark'] as const) {
        const receives = { ask: { ...messageOf({}), reply: list } }
        const secureWs = { receives, sends: { history: messageOf({ list }) }, refusedHtml }
        app.get(`/${refusedHtml}`, { websocket: true, secureWs }, (socket) => {
          const all = ['<b>one</b>', poisoned, '<i>three</i><script>']
          socket.on('ask', () => {
            socket.send({ type: 'history', list: all })
            return all
          })
          socket.send({ type: 'history', list: [] })
        })
      }
    },
  )
  return {
    ...server,
    open: (user: string, path = '/') =>
      openSocket(`ws://127.0.0.1:${server.port}${path}`, { headers: { 'x-user': user } }),
  }
}

/** Within every bound of a single document, and as dear as that allows. */
const dear = (n: number) => `<div>${'line of text<br>'.repeat(1_000)}${n}`

for (const path of ['/', '/out', '/answer']) {
  test(`a session that sends dear documents to ${path} is refused, and no other one is`, async (t) => {
    const chat = await startChat(t)
    const attackers = await Promise.all([1, 2, 3].map(() => chat.open('mallory', path)))
    const ada = await chat.open('ada')
    let sent = 0
    const attack = (socket: (typeof attackers)[number]) => {
      const document = dear(++sent)
      socket.send(path === '/' ? { type: 'post', html: document } : { type: 'say', id: sent, text: document })
    }
    for (let n = 0; n < 50; n++) attackers.forEach(attack)
    // On a fast machine these are not dear enough; for each that was dealt with another one comes, at a pace that limits.messages allows.
    const going = setInterval(() => {
      const open = attackers.filter(({ code }) => code === undefined)
      for (const socket of open) if (socket.heard.length >= sent / attackers.length - 50) attack(socket)
    }, 60)
    t.after(() => clearInterval(going))
    for (let n = 0; n < 5; n++) {
      ada.send({ type: 'post', html: `<b>${path} ${n}</b><script>` })
      await ada.hear('clean')
      ada.heard.length = 0
    }
    // What comes in, and what goes out because of it, is refused to its sender, and who has too much refused is put out.
    for (const attacker of attackers) assert.equal(await attacker.closed, 1008)
    await until(
      () => chat.events.some(({ reason }) => reason === 'its sender has used up their share of time'),
      'the share was used up',
    )
    // The listener has made no mistake.
    assert.ok(!chat.events.some(({ type }) => type === 'message.failed'))
    assert.equal(ada.code, undefined)
    assert.ok(!ada.heard.some(({ type }) => type === 'error'))
  })
}

/** Deeper than anything that is cleaned. */
const poisoned = '<div>'.repeat(200)

test('where the route says so, a mark stands in the place of a document that is refused, and the others arrive', async (t) => {
  const chat = await startChat(t)
  const ada = await chat.open('ada', '/mark')
  ada.send({ type: 'ask', id: 1 })
  const list = ['<b>one</b>', '<span data-refused=""></span>', '<i>three</i>']
  await until(
    () => ada.heard.some((message) => message.type === 'history' && Object(message).list.length > 0),
    'it came',
  )
  assert.deepEqual(Object(ada.heard.findLast(({ type }) => type === 'history')).list, list)
  assert.deepEqual(Object(await ada.hear('reply')).value, list)
  // The operator hears of it all the same.
  assert.ok(chat.events.some(({ type, reason }) => type === 'sanitizer.refused' && reason === 'nested deeper than 100'))
})

test('where it does not, one document that is refused keeps the message back', async (t) => {
  const chat = await startChat(t)
  const ada = await chat.open('ada', '/refuse')
  ada.send({ type: 'ask', id: 1 })
  await ada.hear('error')
  assert.deepEqual(
    ada.heard.filter(({ type }) => type === 'history').map((message) => Object(message).list),
    [[]],
  )
  assert.equal(ada.code, undefined)
})

// What somebody reads may be somebody else's: it is refused to them, and they are not.
test('whoever asks for a document that is refused, over and over, is not put out', async (t) => {
  const chat = await startChat(t)
  const ada = await chat.open('ada', '/refuse')
  const errors = () => ada.heard.filter(({ type }) => type === 'error')
  for (let id = 0; id < 40; id++) ada.send({ type: 'ask', id })
  await until(() => errors().length === 40, 'all are refused')
  assert.deepEqual(new Set(errors().map(({ code }) => code)), new Set(['SWS_INVALID_MESSAGE']))
  assert.equal(ada.code, undefined)
  // Nor has the listener made a mistake, of which it may make five in a minute.
  assert.ok(!chat.events.some(({ type }) => type === 'message.failed'))
})

test('what a session sends to a room costs it the share of one sender on the other nodes, too', async (t) => {
  const bus = memoryBus()
  const [here, there] = [await startChat(t, bus), await startChat(t, bus)]
  const reader = await there.open('ada', '/room')
  const attackers = await Promise.all([1, 2, 3].map(() => here.open('mallory', '/room')))
  const grace = await here.open('grace', '/room')
  let sent = 0
  const attack = () => {
    for (const { send } of attackers) send({ type: 'say', text: dear(++sent) })
  }
  for (let n = 0; n < 15; n++) attack()
  // As above, and no more than the reader can have waiting for the sanitizer.
  const going = setInterval(() => {
    if (reader.heard.length >= sent - 45) attack()
  }, 60)
  t.after(() => clearInterval(going))
  await until(
    () => there.events.some(({ reason }) => reason === 'its sender has used up their share of time'),
    'the share was used up there',
  )
  grace.send({ type: 'say', text: '<b>hello</b><script>' })
  await until(() => reader.heard.some((message) => Object(message).html === '<b>hello</b>'), 'another one is heard')
})

test('a list of more documents than one sender may have at once is refused; one less is not', async (t) => {
  const chat = await startChat(t)
  // No document takes any time: on a busy machine so many take a second of a worker, which is the other bound of a sender.
  const now = performance.now()
  t.mock.method(performance, 'now', () => now)
  const ada = await chat.open('ada')
  const list = Array.from({ length: 257 }, (_, n) => `<b>${n}</b>`)
  ada.send({ type: 'posts', list })
  assert.equal((await ada.hear('error')).code, 'SWS_INVALID_MESSAGE')
  // Another session, because the first 256 of that list are still being cleaned.
  const grace = await chat.open('grace')
  grace.send({ type: 'posts', list: list.slice(1).map((one) => `${one}<i>`) })
  assert.equal((await grace.hear('cleaned')).count, 256)
})

const run = promisify(execFile)

// The switch is the plainest way to a server on which no thread can be started.
test('a server on which no worker can start says so at ready, if a route declares HTML', async () => {
  const index = new URL('../../src/index.ts', import.meta.url).href
  const script = (contentMediaType: string | undefined) => `
    const { default: Fastify } = await import('fastify')
    const { default: secureWs } = await import(${JSON.stringify(index)})
    const app = Fastify()
    await app.register(secureWs, { authenticate: false })
    const schema = { type: 'object', properties: { html: ${JSON.stringify({ type: 'string', contentMediaType })} } }
    app.get('/', { websocket: true, secureWs: { receives: { post: { schema } } } }, (socket) => socket.on('post', () => {}))
    console.log(await app.ready().then(() => 'ready', (error) => error.code + ': ' + error.message + ' / ' + error.cause?.code))
    await app.close()`
  const outcome = async (contentMediaType: string | undefined) => {
    const args = ['--permission', '--allow-fs-read=*', '--input-type=module', '--eval', script(contentMediaType)]
    return (await run(process.execPath, args)).stdout.trim()
  }
  assert.match(
    await outcome('text/html'),
    /^SWS_INTERNAL: .*a worker of the sanitizer could not be started: .* \/ ERR_ACCESS_DENIED$/,
  )
  assert.equal(await outcome(undefined), 'ready')
})
