import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SecureSocket } from '../../src/index.ts'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const untagged = Array.from({ length: 100 }, (_, n) => ({
  type: 'object',
  properties: { [`n${n}`]: { type: 'number' } },
  required: [`n${n}`],
}))
const list = { type: 'array', items: { type: 'object', not: { anyOf: untagged } } } as const
const dear = Array.from({ length: 16_000 }, () => ({}))

test('MS-09 what is refused on its way out is an event, by each exit, and nothing of the value is in it', async (t) => {
  const sockets: SecureSocket[] = []
  const server = await startServer(t, {}, (app) => {
    const secure = {
      receives: { ask: { schema: { type: 'object' }, reply: list } },
      sends: {
        list: { schema: { type: 'object', properties: { list } } },
        link: { schema: { type: 'object', additionalProperties: { type: 'string', format: 'uri', maxLength: 30 } } },
      },
    } as const
    app.get('/lists', { websocket: true, secureWs: secure }, (socket) => {
      sockets.push(socket as object as SecureSocket)
      socket.join('room')
      socket.on('ask', () => dear)
    })
  })
  const peer = await server.connect({ path: '/lists' })
  await until(() => sockets.length === 1, 'it is open')
  const [socket] = sockets
  assert.ok(socket)
  const told = () =>
    server.events
      .filter(({ type }) => type === 'output.refused')
      .map(({ code, reason, route, socket: id }) => {
        assert.deepEqual([route, id], ['/lists', socket.id])
        return `${code} ${reason}`
      })
  const tooMuch = 'SWS_INVALID_OUTPUT schema: too much work at #'

  assert.throws(() => socket.send({ type: 'list', list: dear }), {
    code: 'SWS_INVALID_OUTPUT',
    message: 'The message "list" is not as declared: it takes more work than a value of its size may',
  })
  assert.deepEqual(told(), [tooMuch])
  assert.throws(() => server.app.secureWs.to('room').send({ type: 'list', list: dear }), { code: 'SWS_INVALID_OUTPUT' })
  assert.deepEqual(told(), [tooMuch, tooMuch])
  peer.write(json({ type: 'ask', id: 1 }))
  await until(() => peer.messages.length === 1, 'it was answered')
  assert.deepEqual(peer.messages, [{ type: 'error', code: 'SWS_INTERNAL', id: 1 }])
  assert.deepEqual(told(), [tooMuch, tooMuch, tooMuch])

  // Names and values that a client may have chosen.
  assert.throws(() => socket.send({ type: 'link', mallory: 'x'.repeat(31) }), {
    message: /\/mallory must NOT have more/,
  })
  assert.throws(() => socket.send({ type: 'link', mallory: 'javascript:x' }), { code: 'SWS_UNSAFE_URL' })
  const turned = Object.defineProperty({ type: 'link' }, 'mallory', {
    enumerable: true,
    get: () => assert.fail('mallory'),
  })
  assert.throws(() => socket.send(turned), { code: 'SWS_NOT_ENCODABLE' })
  assert.throws(() => socket.send({ type: 'said\n' }), { code: 'SWS_UNDECLARED_TYPE' })
  assert.deepEqual(told().slice(3), [
    'SWS_INVALID_OUTPUT schema: maxLength at #/additionalProperties/maxLength',
    'SWS_UNSAFE_URL undefined',
    'SWS_NOT_ENCODABLE undefined',
    'SWS_UNDECLARED_TYPE `/lists secureWs.sends` has no type "said\\u000a": the types of this route are declared in sends: list, link',
  ])

  // A near miss: what fits makes no event, and arrives.
  socket.send({ type: 'list', list: dear.slice(0, 10) })
  socket.send({ type: 'link', ada: '/ada' })
  await until(() => peer.messages.length === 3, 'both came')
  assert.equal(told().length, 7)
})
