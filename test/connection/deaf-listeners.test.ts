import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const schema = { type: 'object', properties: {} }

test('a listener that nothing calls is told once, with the declared names; the others are not', async (t) => {
  const { connect, logged } = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: { schema }, post: { schema } } } }, (socket) => {
      for (const event of ['say', 'post', 'close', 'error', 'pong', 'said', 'message', 'binary', 'shout']) {
        Reflect.apply(socket.on, socket, [event, () => {}])
      }
      socket.send('ready')
    })
    app.get('/raw', { websocket: true }, (socket) => {
      socket.on('message', () => {})
      Reflect.apply(socket.on, socket, ['custom', () => {}])
      socket.send('ready')
    })
  })
  for (const target of ['/ws', '/ws', '/raw']) {
    const peer = await connect({ path: target })
    await until(() => peer.texts.length > 0, 'the handler ran')
  }
  const warned = logged.flatMap((line) =>
    /listens to nothing/.test(line) ? [Reflect.get(JSON.parse(line), 'msg')] : [],
  )
  assert.deepEqual(warned, [
    "fastify-secure-ws: /ws: socket.on('said') listens to nothing. Declared in `receives`: say, post. Did you mean 'say'?",
    "fastify-secure-ws: /ws: socket.on('message') listens to nothing. Declared in `receives`: say, post. There are no raw messages on a route with `receives`.",
    "fastify-secure-ws: /ws: socket.on('binary') listens to nothing. Declared in `receives`: say, post. List the media types in `secureWs.binary`.",
    "fastify-secure-ws: /ws: socket.on('shout') listens to nothing. Declared in `receives`: say, post. Declare it, or take the listener away.",
  ])
})

test('an undeclared output names the type that was sent and the route', async (t) => {
  const errors: unknown[] = []
  const { connect, events } = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { sends: { said: { schema } } } }, (socket) => {
      for (const message of [{ type: 'sayd' }, { type: 'evil\u202e\n' }, { said: 1 }, 'text']) {
        try {
          Reflect.apply(socket.send, socket, [message])
        } catch (error) {
          errors.push(Reflect.get(Object(error), 'message'))
        }
      }
      socket.send({ type: 'said' })
    })
  })
  const peer = await connect({ path: '/ws' })
  await until(() => peer.texts.length > 0, 'the declared one came')
  assert.equal(
    events.some(({ type }) => type === 'socket.failed'),
    false,
  )
  const end = ': the types of this route are declared in sends: said'
  assert.deepEqual(errors, [
    `\`/ws secureWs.sends\` has no type "sayd"${end}`,
    `\`/ws secureWs.sends\` has no type "evil\\u202e\\u000a"${end}`,
    `\`/ws secureWs.sends\` was sent something without a \`type\`${end}`,
    `\`/ws secureWs.sends\` was sent something without a \`type\`${end}`,
  ])
})
