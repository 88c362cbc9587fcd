import assert from 'node:assert/strict'
import { Session } from 'node:inspector/promises'
import { type TestContext, test } from 'node:test'
import { startServer } from '../harness/server.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

// A worker that breaks at a document: the operator learns why, its sender pays, it is not tried again, and everybody else goes on.

const html = { type: 'string', contentMediaType: 'text/html' }
const text = { type: 'string' }
const messageOf = (properties: object) => ({
  schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
})

/** A chat of which each message holds HTML in one of three places, and the workers that it has started. */
async function startChat(t: TestContext) {
  let started = 0
  const count = () => void started++
  process.on('worker', count)
  t.after(() => process.off('worker', count))
  const server = await startServer(
    t,
    {
      allowMissingOrigin: true,
      authenticate: (request) => ({ id: String(request.headers['x-user']) }),
      // Filling a heap takes longer than an ordinary document may.
      sanitize: { timeLimit: 20_000 },
    },
    (app) => {
      const receives = {
        in: messageOf({ html }),
        out: messageOf({ text }),
        answer: { ...messageOf({ text }), reply: html },
      }
      const secureWs = { receives, sends: { shown: messageOf({ html }) } }
      app.get('/', { websocket: true, secureWs }, (socket) => {
        socket.on('in', (message) => socket.send({ type: 'shown', html: Object(message).html }))
        socket.on('out', (message) => socket.send({ type: 'shown', html: Object(message).text }))
        socket.on('answer', (message) => Object(message).text)
      })
    },
  )
  return {
    ...server,
    started: () => started,
    open: (user: string) => openSocket(`ws://127.0.0.1:${server.port}/`, { headers: { 'x-user': user } }),
  }
}

/** Has the worker that is running now break at its next document, before it answers, the way a debugger would. */
async function breakNext(how: string): Promise<void> {
  const session = new Session()
  session.connect()
  const workers: string[] = []
  session.on('NodeWorker.attachedToWorker', ({ params }) => workers.push(params.sessionId))
  const answered = new Promise<string>((resolve) =>
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => resolve(params.message)),
  )
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  const expression = `process.getBuiltinModule('node:worker_threads').parentPort.postMessage = () => { ${how} }`
  assert.equal(workers.length, 1)
  for (const sessionId of workers) {
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })
    await session.post('NodeWorker.sendMessageToWorker', { sessionId, message })
  }
  assert.ok(!(await answered).includes('exceptionDetails'))
  session.disconnect()
}

const fates = {
  killed: { how: 'process.exit(137)', cause: /ended: its exit code was 137/ },
  'out of memory': {
    how: 'const kept = []; for (;;) kept.push(new Array(1e6).fill(kept.length))',
    cause: /failed: Worker terminated due to reaching memory limit/,
  },
}
const places = {
  in: (dirty: string) => ({ type: 'in', id: 1, html: dirty }),
  out: (dirty: string) => ({ type: 'out', text: dirty }),
  answer: (dirty: string) => ({ type: 'answer', id: 1, text: dirty }),
}

for (const [fate, { how, cause }] of Object.entries(fates)) {
  for (const [place, messageWith] of Object.entries(places)) {
    test(`a worker that is ${fate} at a document (${place}) fails with its cause, and everybody else goes on`, async (t) => {
      const chat = await startChat(t)
      const [mallory, ada] = [await chat.open('mallory'), await chat.open('ada')]
      await breakNext(how)
      mallory.send(messageWith('<b>poison</b><i>'))
      const failures = () => chat.events.filter(({ code, socket }) => code === 'SWS_INTERNAL' && socket !== undefined)
      await until(() => failures().length === 1, 'it failed')
      if (place !== 'out') assert.deepEqual(await mallory.hear('error'), { type: 'error', code: 'SWS_INTERNAL', id: 1 })
      assert.match(chat.logged.join('\n'), cause)
      assert.ok(!`${JSON.stringify(chat.events)}${chat.logged}`.includes('poison'))

      ada.send({ type: 'in', html: '<b>hello</b><script>' })
      assert.equal((await ada.hear('shown')).html, '<b>hello</b>')

      // Whoever sends it again gets what is known of it: no other worker is given to it.
      const before = chat.started()
      ada.send(messageWith('<b>poison</b><i>'))
      await until(() => failures().length === 2, 'it failed again')
      assert.equal(chat.started(), before)
      // A failure of ours puts nobody out, however often.
      for (let n = 0; n < 30; n++) ada.send(messageWith('<b>poison</b><i>'))
      await until(() => failures().length === 32, 'over and over')
      assert.equal(chat.started(), before)
      assert.deepEqual([ada.code, mallory.code], [undefined, undefined])
    })
  }
}

// A hostile document that crashes jsdom would otherwise cost its sender nothing, and everybody the next worker.
test('who breaks workers has soon used up their share, and is refused until it comes back', async (t) => {
  const chat = await startChat(t)
  // Nothing of a share comes back: on a busy machine the next worker takes so long to load that all of it would.
  const now = performance.now()
  t.mock.method(performance, 'now', () => now)
  const [mallory, ada] = [await chat.open('mallory'), await chat.open('ada')]
  const codes = () => mallory.heard.map(({ code }) => code).filter((code) => code !== undefined)
  for (let n = 1; n <= 12 && codes().at(-1) !== 'SWS_INVALID_MESSAGE'; n++) {
    await breakNext('process.exit(137)')
    mallory.send({ type: 'in', id: n, html: `<b>poison ${n}</b><i>` })
    await until(() => codes().length === n, 'it failed')
    // The next worker is up when it has cleaned something.
    ada.heard.length = 0
    ada.send({ type: 'in', html: `<b>${n}</b><i>` })
    if (codes().at(-1) === 'SWS_INTERNAL') await ada.hear('shown')
  }
  assert.deepEqual(codes(), ['SWS_INTERNAL', 'SWS_INTERNAL', 'SWS_INVALID_MESSAGE'], 'two are a share')
  assert.ok(chat.events.some(({ reason }) => reason === 'its sender has used up their share of time'))
})
