import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const row = { id: 7, name: 'Ada', passwordHash: '$argon2id$v=19$secret' }
const ask = Type.Object({})
const user = Type.Object({ id: Type.Number(), name: Type.String() })

// The listener ends with `return db.save(...)`, or is an arrow function without braces; an `id` was all it took to read the row.
test('what `sends` drops does not come back as a reply', async (t) => {
  const server = await startServer(t, {}, (app) => {
    const secureWs = { receives: { ask: { schema: ask }, later: { schema: ask } }, sends: { user: { schema: user } } }
    app.get('/ws', { websocket: true, secureWs }, (socket) => {
      socket.on('ask', () => row)
      socket.on('later', async () => row)
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'ask', id: 1 }), json({ type: 'later', id: 2 }), json({ type: 'ask', id: 3 }))
  await until(() => peer.messages.length === 3, 'all were answered')
  assert.deepEqual(peer.messages, [
    { type: 'reply', id: 1 },
    { type: 'reply', id: 2 },
    { type: 'reply', id: 3 },
  ])
  const warnings = server.logged.filter((line) => line.includes('receives.ask.reply'))
  assert.equal(warnings.length, 1, 'its developer is told once, with what to write')
})

test('a declared reply is projected, on a route with `sends` and on one without', async (t) => {
  const server = await startServer(t, {}, (app) => {
    const receives = { ask: { schema: ask, reply: user }, list: { schema: ask, reply: Type.Array(user) } }
    for (const [path, secureWs] of [
      ['/ws', { receives }],
      ['/sends', { receives, sends: { user: { schema: user } } }],
    ] as const) {
      app.get(path, { websocket: true, secureWs }, (socket) => {
        socket.on('ask', () => row)
        socket.on('list', async () => [row])
      })
    }
  })
  for (const path of ['/ws', '/sends']) {
    const peer = await server.connect({ path })
    peer.write(json({ type: 'ask', id: 1 }), json({ type: 'list', id: 2 }), json({ type: 'ask' }))
    await until(() => peer.messages.length === 2, 'both were answered')
    await sleep(20)
    assert.deepEqual(peer.messages, [
      { type: 'reply', id: 1, value: { id: 7, name: 'Ada' } },
      { type: 'reply', id: 2, value: [{ id: 7, name: 'Ada' }] },
    ])
  }
})

test('a reply that is not as declared is a fault of the listener, and the next message is read', async (t) => {
  const html = Type.String({ contentMediaType: 'text/html' })
  const server = await startServer(t, {}, (app) => {
    const receives = {
      nothing: { schema: ask, reply: user },
      wrong: { schema: ask, reply: user },
      rich: { schema: ask, reply: html },
      fine: { schema: ask },
    }
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      // @ts-expect-error a reply is declared
      socket.on('nothing', () => {})
      // @ts-expect-error another reply is declared
      socket.on('wrong', async () => ({ passwordHash: 'secret' }))
      socket.on('rich', () => '<b>x</b><script>1</script>')
      socket.on('fine', () => 'ok')
    })
  })
  const peer = await server.connect()
  const types = ['nothing', 'wrong', 'rich', 'fine']
  peer.write(...types.map((type, index) => json({ type, id: index })))
  await until(() => peer.messages.length === 4, 'all were answered')
  assert.deepEqual(peer.messages, [
    { type: 'error', code: 'SWS_INTERNAL', id: 0 },
    { type: 'error', code: 'SWS_INTERNAL', id: 1 },
    { type: 'reply', id: 2, value: '<b>x</b>' },
    { type: 'reply', id: 3, value: 'ok' },
  ])
  assert.equal(server.events.filter(({ type }) => type === 'message.failed').length, 2)
  assert.ok(!JSON.stringify([server.events, peer.texts]).includes('secret'))
})

test('socket.room(room) is everybody in it, socket.to(room) everybody else', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get(
      '/ws',
      { websocket: true, secureWs: { receives: { all: { schema: ask }, others: { schema: ask } } } },
      (socket) => {
        socket.join('lobby')
        socket.on('all', () => socket.room('lobby').send({ type: 'all' }))
        socket.on('others', () => socket.to('lobby').send({ type: 'others' }))
      },
    )
  })
  const [ada, bob] = [await server.connect(), await server.connect()]
  ada.write(json({ type: 'others' }), json({ type: 'all' }))
  await until(() => ada.messages.length === 1 && bob.messages.length === 2, 'both were told')
  assert.deepEqual([ada.messages, bob.messages], [[{ type: 'all' }], [{ type: 'others' }, { type: 'all' }]])
})

// A client that asks faster than the sanitizer cleans: each reply is made before the next question is read.
test('the next message waits until a reply has been made', async (t) => {
  const html = Type.String({ contentMediaType: 'text/html' })
  const waiting: number[] = []
  const server = await startServer(t, {}, (app) => {
    const receives = { rich: { schema: ask, reply: html } }
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('rich', () => {
        waiting.push(socket.bufferedAmount)
        return `<b>${'x'.repeat(1_000)}${waiting.length}</b>`
      })
    })
  })
  const peer = await server.connect()
  peer.write(...[1, 2, 3, 4].map((id) => json({ type: 'rich', id })))
  await until(() => peer.messages.length === 4, 'all were answered')
  assert.ok(Math.max(...waiting) < 2_000, `${waiting}: at most the reply before is on its way`)
  assert.equal(waiting.length, 4)
})
