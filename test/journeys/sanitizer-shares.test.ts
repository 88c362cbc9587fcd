import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { startServer } from '../harness/server.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

// Who sends documents that take long is slowed down and put out; everybody else does not notice.

const text = { type: 'string', minLength: 1 }
const html = { type: 'string', minLength: 1, contentMediaType: 'text/html' }
const messageOf = (properties: object) => ({
  schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
})

async function startChat(t: TestContext) {
  const server = await startServer(
    t,
    { allowMissingOrigin: true, authenticate: (request) => ({ id: String(request.headers['x-user']) }) },
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
    },
  )
  return {
    ...server,
    open: (user: string, path = '/') =>
      openSocket(`ws://127.0.0.1:${server.port}${path}`, { headers: { 'x-user': user } }),
  }
}

/** Within every bound of a single document, and as dear as that allows. */
const dear = (n: number) => `<div>${'line of text<br>'.repeat(1_500)}${n}`

for (const path of ['/', '/out']) {
  test(`a session that sends dear documents to ${path} is refused, and no other one is`, async (t) => {
    const chat = await startChat(t)
    const attackers = await Promise.all([1, 2, 3].map(() => chat.open('mallory', path)))
    const ada = await chat.open('ada')
    for (let n = 0; n < 60; n++) {
      for (const [index, { send }] of attackers.entries()) {
        const document = dear(index * 1_000 + n)
        send(path === '/' ? { type: 'post', html: document } : { type: 'say', text: document })
      }
    }
    for (let n = 0; n < 5; n++) {
      ada.send({ type: 'post', html: `<b>${path} ${n}</b><script>` })
      await ada.hear('clean')
      ada.heard.length = 0
    }
    if (path === '/') {
      // What comes in is refused to its sender, and who has too much refused is put out.
      for (const attacker of attackers) assert.equal(await attacker.closed, 1008)
    }
    await until(
      () => chat.events.some(({ reason }) => reason === 'its sender has used up their share of time'),
      'the share was used up',
    )
    assert.equal(ada.code, undefined)
    assert.ok(!ada.heard.some(({ type }) => type === 'error'))
  })
}

test('a list of more documents than one sender may have at once is refused; one less is not', async (t) => {
  const chat = await startChat(t)
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
