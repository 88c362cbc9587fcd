import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type WebSocket, WebSocketServer } from 'ws'
import { pauseBefore, readHint } from '../../src/client/pause.ts'
import { until } from '../harness/until.ts'
import { watch } from './harness.ts'

/** A server of somebody else's, that says what it likes. */
async function startHostile(
  t: TestContext,
  {
    why,
    onSocket,
    hangs = false,
  }: {
    why?: (response: ServerResponse, url: string) => void
    onSocket?: (socket: WebSocket) => void
    hangs?: boolean
  },
) {
  // A pause is anything up to a minute: none of these is to be over at once.
  t.mock.method(Math, 'random', () => 0.5)
  const asked: string[] = []
  let shakes = 0
  const server = createServer((request, response) => {
    asked.push(String(request.headers['secure-ws-protocol'] ?? ''))
    why?.(response, String(request.url))
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, stream, head) => {
    shakes++
    if (hangs) return
    if (onSocket === undefined) stream.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    else sockets.handleUpgrade(request, stream, head, onSocket)
  })
  server.listen(0, '127.0.0.1')
  await until(() => server.listening, 'it listens')
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked, shakes: () => shakes }
}

const answering = (body: string) => (response: ServerResponse) => response.end(body)

test('a hint is a time within the hour, whatever a server writes; a pause is never less than nothing, nor NaN', () => {
  for (const hint of [-1, 0, Number.NaN, '5', null, {}, [], true, undefined]) assert.equal(readHint(hint), undefined)
  assert.equal(readHint(Number.POSITIVE_INFINITY), 3_600_000)
  assert.equal(readHint(1e300), 3_600_000)
  for (const failures of [0, 1, 31, 1_024, 1e9]) {
    const pause = pauseBefore(failures, 'later', readHint(1e300), {}, 0.999)
    assert.ok(pause >= 3_600_000 && pause < 2 ** 31, `${pause}`)
  }
})

for (const [name, body, outcome] of [
  ['waits for ever', '{"code":"SWS_UNAVAILABLE","reconnect":true,"retryAfter":1e308}', 'waiting'],
  ['waits for less than nothing', '{"code":"SWS_UNAVAILABLE","reconnect":true,"retryAfter":-1e9}', 'waiting'],
  ['a prototype', '{"__proto__":{"code":null,"reconnect":true},"code":"x","reconnect":"yes"}', 'waiting'],
  ['nothing', 'null', 'waiting'],
  ['a page', '<html>', 'waiting'],
  ['a code that is an object', '{"code":{"toString":1},"reconnect":false}', 'waiting'],
  ['a code of nobody', '{"code":"<img src=x onerror=alert(1)>","reconnect":false}', 'refused'],
] as const) {
  test(`the answer to "why?" is ${name}: ${outcome}, and no loop`, async (t) => {
    const { port, shakes } = await startHostile(t, { why: answering(body) })
    const { reach, states } = watch(t, port, { pause: { first: 60_000, ceiling: 60_000 } })
    const state = await reach(outcome)
    if (state.name === 'waiting') assert.ok(state.retryIn >= 0 && state.retryIn <= 3_660_000, `${state.retryIn}`)
    else assert.equal(typeof state.reason, 'string')
    await sleep(50)
    // Node's WebSocket makes some handshakes twice, at once.
    assert.ok(shakes() <= 2 && states.length === 2, JSON.stringify(states))
  })
}

test('an answer to "why?" that sends elsewhere, or never ends, takes no credential anywhere and no longer than `timeout`', async (t) => {
  let elsewhere = 0
  const other = await startHostile(t, { why: (response) => response.end(`{"asked":${++elsewhere}}`) })
  const { port, asked } = await startHostile(t, {
    why(response) {
      response.writeHead(307, { location: `http://127.0.0.1:${other.port}/steal` }).end()
    },
  })
  const first = watch(t, port, { credential: () => ({ token: 'secret' }), pause: { first: 60_000, ceiling: 60_000 } })
  await first.reach('waiting')
  assert.deepEqual([asked[0], elsewhere], ['secure-ws, bearer.secret', 0])

  const endless = await startHostile(t, {
    why(response) {
      const timer = setInterval(() => response.write(' '.repeat(1_000)), 5)
      response.once('close', () => clearInterval(timer))
    },
  })
  const second = watch(t, endless.port, { timeout: 300, pause: { first: 60_000, ceiling: 60_000 } })
  await second.reach('waiting')
})

test('messages of all kinds harm nothing: names of prototypes, answers to nobody, requests without sense, hints beyond numbers', async (t) => {
  const sockets: WebSocket[] = []
  const { port } = await startHostile(t, { onSocket: (socket) => void sockets.push(socket) })
  const { client, reach, states } = watch(t, port, { silence: 0 })
  await reach('open')
  const heard: unknown[] = []
  client.on('toString' as never, (message) => heard.push(message))
  const request = client.request('say', {})
  const answers: unknown[] = []
  sockets[0]?.on('message', (frame) => answers.push(JSON.parse(String(frame))))
  for (const frame of [
    '{"type":"__proto__","polluted":1}',
    '{"type":"constructor"}',
    '{"type":"toString","__proto__":{"polluted":1}}',
    '{"type":"reply","id":"__proto__","value":1}',
    '{"type":"reply","id":[1],"value":1}',
    '{"type":"error","id":99,"code":{},"retryAfter":"1"}',
    '{"type":"request"}',
    '{"type":"request","id":{"a":1},"message":7}',
    '{"type":"request","id":1,"message":{"type":"__proto__"}}',
    '{"type":"left"}',
    '{"type":"expiring","in":-1e308}',
    '{"type":{}}',
    '"type"',
  ]) {
    sockets[0]?.send(frame)
  }
  sockets[0]?.send('{"type":"error","id":1,"code":"SWS_TOO_FAST","retryAfter":-5}')
  await assert.rejects(request, { code: 'SWS_TOO_FAST', retryAfter: undefined })
  assert.equal(heard.length, 1)
  assert.equal(Reflect.get({}, 'polluted'), undefined)
  await until(() => answers.length === 4, 'each request was declined')
  for (const answer of answers.slice(1)) assert.equal(Reflect.get(Object(answer), 'code'), 'SWS_NO_LISTENER')
  assert.equal(states.at(-1)?.name, 'open')
})

test('a flood of `expiring` fetches one credential at a time', async (t) => {
  let fetching = 0
  let most = 0
  const { port } = await startHostile(t, {
    onSocket: (socket) => {
      setTimeout(() => {
        for (let count = 0; count < 500; count++) socket.send('{"type":"expiring","in":1}')
      }, 50)
    },
  })
  const { reach, client } = watch(t, port, {
    silence: 0,
    credential: async () => {
      most = Math.max(most, ++fetching)
      await sleep(100)
      fetching--
      return { token: 'new' }
    },
  })
  await reach('open')
  let heard = 0
  client.on('expiring', () => heard++)
  await until(() => heard >= 400, 'the flood came')
  await sleep(150)
  assert.equal(most, 1)
})

for (const [code, reason, then] of [
  [1012, 'service restart; retry after 99999999999999999999 ms', 'waiting'],
  [1012, 'service restart; retry after -1 ms', 'waiting'],
  [4000, '__proto__', 'closed'],
  [4001, 'constructor; retry after 1 ms', 'closed'],
  [1000, `${'x'.repeat(120)}`, 'closed'],
] as const) {
  test(`a close frame of ${code} "${reason.slice(0, 40)}": ${then}`, async (t) => {
    const { port, shakes } = await startHostile(t, {
      onSocket: (socket) => setTimeout(() => socket.close(code, reason), 20),
    })
    const { reach } = watch(t, port, { silence: 0, pause: { first: 60_000, ceiling: 60_000 } })
    const state = await reach(then)
    if (state.name === 'waiting') assert.ok(state.retryIn >= 0 && state.retryIn <= 3_660_000, `${state.retryIn}`)
    await sleep(30)
    assert.equal(shakes(), 1)
  })
}

test('a question that is never answered ends with `timeout`', async (t) => {
  const silent = await startHostile(t, {})
  const { reach } = watch(t, silent.port, { timeout: 300, pause: { first: 60_000, ceiling: 60_000 } })
  await reach('waiting')
})

test('an error whose code is no text, and cannot be made one, ends its request and nothing else', async (t) => {
  const { port } = await startHostile(t, {
    onSocket: (socket) => socket.on('message', () => socket.send('{"type":"error","id":1,"code":{"toString":1}}')),
  })
  const { client, reach } = watch(t, port, { silence: 0 })
  await reach('open')
  await assert.rejects(client.request('say', {}), { code: 'SWS_INTERNAL' })
  assert.equal(client.state.name, 'open')
})

for (const [code, reason, name] of [
  [1001, '', 'InvalidAccessError'],
  [1000, 'x'.repeat(124), 'SyntaxError'],
] as const) {
  test(`closing with ${code} and ${reason.length} bytes of reason, which no page may send, closes all the same`, async (t) => {
    const ends: number[] = []
    const { port } = await startHostile(t, { onSocket: (socket) => socket.on('close', (end) => ends.push(end)) })
    const { client, reach } = watch(t, port, { silence: 0 })
    await reach('open')
    await assert.rejects(client.close(code, reason), { name })
    assert.equal(client.state.name, 'closed')
    await until(() => ends.length === 1, 'the connection has ended')
    assert.equal(ends[0], 1005)
  })
}

test('closing in the middle of a handshake asks nobody why', async (t) => {
  const { port, asked, shakes } = await startHostile(t, { hangs: true })
  const { client, states } = watch(t, port)
  await until(() => shakes() === 1, 'it shook hands')
  await client.close()
  await sleep(50)
  assert.deepEqual([asked, states.map(({ name }) => name)], [[], ['connecting', 'closed']])
})

test('a watcher that closes is the last to hear of what was: nobody is told an older state after a newer one', async (t) => {
  const { port } = await startHostile(t, { onSocket: (socket) => setTimeout(() => socket.close(1012), 20) })
  const { client, reach } = watch(t, port, { silence: 0 })
  client.subscribe(({ name }) => {
    if (name === 'waiting') void client.close()
  })
  const later: string[] = []
  client.subscribe(({ name }) => later.push(name))
  await reach('closed')
  assert.deepEqual(later, ['connecting', 'open', 'closed'])
})

test('times beyond what a timer can keep are long, and neither fire at once nor again and again', async (t) => {
  const { port, shakes } = await startHostile(t, { onSocket: () => {} })
  const never = Number.POSITIVE_INFINITY
  const { client, reach } = watch(t, port, { silence: never, timeout: never, join: () => sleep(20) })
  await reach('open')
  await assert.rejects(client.request('say', {}, { timeout: never, signal: AbortSignal.timeout(100) }), {
    name: 'TimeoutError',
  })
  assert.deepEqual([client.state.name, shakes()], ['open', 1])
  const pause = pauseBefore(1_000, 'reconnect', undefined, { first: never, ceiling: never }, 0.999)
  assert.ok(pause > 3_600_000 && pause < 2 ** 31, `${pause}`)
})

test('a loop answers each call of `next`, also when several wait, and one that begins after the end is over', async (t) => {
  const sockets: WebSocket[] = []
  const { port } = await startHostile(t, { onSocket: (socket) => void sockets.push(socket) })
  const { client, reach } = watch(t, port, { silence: 0 })
  await reach('open')
  const loop = client[Symbol.asyncIterator]()
  const three = [loop.next(), loop.next(), loop.next()]
  for (const type of ['one', 'two']) sockets[0]?.send(JSON.stringify({ type }))
  assert.deepEqual(await Promise.all(three.slice(0, 2)), [
    { value: { type: 'one' }, done: false },
    { value: { type: 'two' }, done: false },
  ])
  await client.close()
  assert.deepEqual(await three[2], { value: undefined, done: true })
  assert.deepEqual(await client[Symbol.asyncIterator]().next(), { value: undefined, done: true })
})

test('a listener that another one has taken away hears nothing more, not even the message under way', async (t) => {
  const { port } = await startHostile(t, {
    onSocket: (socket) => setTimeout(() => socket.send('{"type":"said"}'), 50),
  })
  const { client, reach } = watch(t, port, { silence: 0 })
  await reach('open')
  const heard: string[] = []
  client.on('said', () => {
    heard.push('first')
    takeAway()
    client.on('said', () => heard.push('too late'))
  })
  const takeAway = client.on('said', () => heard.push('second'))
  await until(() => heard.length > 0, 'it came')
  await sleep(20)
  assert.deepEqual(heard, ['first'])
})
