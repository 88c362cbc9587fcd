import assert from 'node:assert/strict'
import { once } from 'node:events'
import { openAsBlob } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import WebSocket from 'ws'
import type { SecureSocket } from '../../src/index.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

/** A socket, both ends of it, and a Blob whose bytes cannot be read any more: its file is another one by now. */
async function opened(t: TestContext) {
  let socket: SecureSocket | undefined
  const server = await startServer(t, { allowMissingOrigin: true }, (app) => {
    app.get('/ws', { websocket: true }, (accepted) => {
      socket = accepted as SecureSocket
      socket.join('room')
    })
  })
  const client = new WebSocket(`ws://127.0.0.1:${server.port}/ws`)
  t.after(() => client.terminate())
  const messages: string[] = []
  client.on('message', (message) => messages.push(String(message)))
  await once(client, 'open')
  await until(() => socket !== undefined, 'the socket opened')
  assert.ok(socket)
  const folder = await mkdtemp(join(tmpdir(), 'fragments-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'blob')
  await writeFile(file, 'as it was')
  const broken = await openAsBlob(file)
  await writeFile(file, 'longer than it was before')
  return { ...server, client, messages, socket, broken }
}

const good = () => new Blob(['good'])

for (const last of [true, false]) {
  test(`a fragment that cannot be made ends the socket with 1011 when the beginning has left, ${last ? 'as the last' : 'in the middle'}`, async (t) => {
    const { app, client, messages, socket, broken, events } = await opened(t)
    const told: unknown[] = []
    socket.send('transfer 100 to ', { fin: false })
    socket.send(broken, { fin: last }, (error) => told.push(error))
    // The message with a hole, and one of somebody else's that would have continued it.
    if (!last) socket.send('ann', { fin: true }, (error) => told.push(error))
    app.secureWs.to('room').send('news')
    const [code] = await once(client, 'close')
    assert.equal(code, 1011)
    assert.deepEqual(messages, [])
    await until(() => told.length === (last ? 1 : 2), 'every callback was called, once')
    assert.ok(told.every((error) => error instanceof Error))
    const ended = events.find(({ type }) => type === 'socket.closed')
    assert.match(String(ended?.reason), /^a fragment could not be made/)
  })
}

test('a message of which nothing has left goes as a whole when its first fragment cannot be made, and the socket stays', async (t) => {
  const { messages, socket, broken, client } = await opened(t)
  const told: unknown[] = []
  for (const part of [broken, good(), good()]) {
    socket.send(part, { fin: false }, (error) => told.push(error))
  }
  socket.send('rest', { fin: true }, (error) => told.push(error))
  socket.send('after')
  await until(() => messages.length > 0, 'the next message came')
  assert.deepEqual(messages, ['after'])
  assert.ok(told.length === 4 && told.every((error) => error instanceof Error))
  assert.equal(client.readyState, WebSocket.OPEN)
})

test('a fragment that comes after its message has gone goes, too, and the next message is one', async (t) => {
  const { messages, socket, broken } = await opened(t)
  const told: unknown[] = []
  const error = await new Promise((resolve) => socket.send(broken, { fin: false }, resolve))
  assert.ok(error instanceof Error)
  socket.send('the rest', { fin: true }, (failed) => told.push(failed))
  socket.send('after')
  await until(() => messages.length > 0, 'the next message came')
  assert.deepEqual(messages, ['after'])
  await until(() => told.length === 1, 'the callback was called')
  assert.ok(told[0] instanceof Error)
})

test('near miss: fragments that can be made arrive as one message, with a broadcast behind it', async (t) => {
  const { app, messages, socket } = await opened(t)
  socket.send('transfer 100 to ', { fin: false })
  socket.send(good(), { fin: false })
  app.secureWs.to('room').send('news')
  socket.send('ann', { fin: true })
  await until(() => messages.length === 2, 'both came')
  assert.deepEqual(messages, ['transfer 100 to goodann', 'news'])
})
