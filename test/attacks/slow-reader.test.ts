import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, { type AuditEvent, memoryBus, type SecureSocket, type SecureWsOptions } from '../../src/index.ts'
import { testCertificate } from '../harness/certificate.ts'
import { FrameReader, opcodes, type ServerFrame } from '../harness/frames.ts'
import { handshakeText, rawConnect } from '../harness/raw-client.ts'
import { wide } from '../harness/server.ts'
import { until } from '../harness/until.ts'

interface Reader {
  /** The server's end. */
  readonly socket: SecureSocket
  /** Complete messages so far, their fragments joined. */
  readonly messages: readonly string[]
  readonly closed: number | undefined
  /** Begins to read. */
  wake(): void
}

interface Room {
  readonly app: FastifyInstance
  readonly events: readonly AuditEvent[]
  reader(): Promise<Reader>
}

/** A server whose clients read nothing until they are woken. All of them are in one room. */
async function room(t: TestContext, { limits, ...options }: Partial<SecureWsOptions> = {}, tls = false): Promise<Room> {
  const events: AuditEvent[] = []
  const sockets: SecureSocket[] = []
  const app: FastifyInstance = Fastify(tls ? ({ https: await testCertificate() } as object) : {})
  await app.register(secureWs, {
    authenticate: false,
    audit: (event) => events.push(event),
    limits: { ...wide, ...limits },
    ...options,
  })
  app.get('/ws', { websocket: true }, (socket) => {
    socket.join('room')
    socket.on('message', () => {})
    sockets.push(socket as SecureSocket)
  })
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  t.after(() => app.close())
  return {
    app,
    events,
    async reader() {
      const connection = await rawConnect({ port, tls })
      t.after(() => connection.close())
      const host = `127.0.0.1:${port}`
      const headers = { Host: host, Origin: `${tls ? 'https' : 'http'}://${host}` }
      connection.write(handshakeText({ target: '/ws', headers }))
      assert.equal((await connection.answer()).status, 101)
      const socket = sockets.at(-1)
      assert.ok(socket)
      const frames: ServerFrame[] = []
      const read = new FrameReader()
      return {
        socket,
        get messages() {
          return messagesOf(frames)
        },
        get closed() {
          return frames.find(({ opcode }) => opcode === opcodes.close)?.payload.readUInt16BE(0)
        },
        wake() {
          connection.socket.on('data', (chunk) => frames.push(...read.read(chunk)))
          connection.socket.resume()
        },
      }
    },
  }
}

/** Fails for a continuation without a beginning, and for a beginning inside of another message. */
function messagesOf(frames: readonly ServerFrame[]): string[] {
  const messages: string[] = []
  let begun: string | undefined
  for (const { opcode, fin, payload } of frames) {
    if (opcode >= opcodes.close) continue
    assert.equal(opcode === opcodes.continuation, begun !== undefined, 'a frame where it may not stand')
    begun = `${begun ?? ''}${payload}`
    if (!fin) continue
    messages.push(begun)
    begun = undefined
  }
  return messages
}

const filling = 'x'.repeat(50_000)
const numberOf = (message: string) => Number.parseInt(message, 10)
const turn = () => new Promise(setImmediate)

/** Whatever the kernels hold of a connection, more than that. */
async function fill({ socket }: Reader): Promise<number> {
  let sent = 0
  for (let quiet = 0; quiet < 3; ) {
    socket.send(`-1 ${filling}`)
    sent++
    await turn()
    quiet = socket.bufferedAmount > 200_000 ? quiet + 1 : 0
  }
  return sent
}

for (const tls of [false, true]) {
  const over = tls ? ' (TLS)' : ''

  test(`RS-09 with slowReader "drop" the oldest give way, the newest arrive, and the order is held${over}`, async (t) => {
    const { app, events, reader } = await room(t, { slowReader: 'drop', limits: { outboundBytes: 1_000_000 } }, tls)
    const slow = await reader()
    const told: (Error | undefined)[] = []
    const count = 400
    for (let at = 0; at < count; at++) {
      if (at % 2 === 0) slow.socket.send(`${at} ${filling}`, (error) => told.push(error))
      else app.secureWs.to('room').send(`${at} ${filling}`)
      assert.ok(slow.socket.bufferedAmount <= 1_000_000)
      if (at % 5 === 0) await turn()
    }
    slow.wake()
    await until(() => slow.messages.some((message) => numberOf(message) === count - 1), 'the newest came')
    const numbers = slow.messages.map(numberOf)
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
    // What was in the kernel, and what was held last: one gap.
    const gaps = numbers.filter((each, index) => index > 0 && each !== (numbers[index - 1] ?? 0) + 1)
    assert.equal(gaps.length, 1)
    const dropped = events.filter(({ code }) => code === 'SWS_SLOW_READER').length
    assert.ok(dropped > 50)
    assert.equal(numbers.length + dropped, count)
    await until(() => told.length === count / 2, 'every callback was called')
    assert.equal(slow.socket.readyState, slow.socket.OPEN)
    assert.equal(slow.socket.bufferedAmount, 0)
  })

  test(`RS-09 of the messages with one \`latest\` a client that is behind gets the newest, in its place${over}`, async (t) => {
    const { app, events, reader } = await room(t, { limits: { outboundBytes: 20_000_000 } }, tls)
    const slow = await reader()
    const filled = await fill(slow)
    const replaced: unknown[] = []
    const before = slow.socket.bufferedAmount
    for (let at = 0; at < 1_000; at++) {
      slow.socket.send(`${at} price`, { latest: 'price' }, (error) => replaced.push(Object(error).code))
      app.secureWs.to('room').send(`${at} place`, { latest: 'place' })
      if (at % 100 === 0) slow.socket.send(`${at} log`)
      if (at % 10 === 0) await turn()
    }
    assert.ok(slow.socket.bufferedAmount - before < 1_000, 'what was replaced is not held')
    slow.wake()
    await until(() => slow.messages.length === filled + 12, 'all came')
    assert.deepEqual(
      slow.messages.slice(filled).map((message) => message),
      [...Array.from({ length: 10 }, (_, at) => `${at * 100} log`), '999 price', '999 place'],
    )
    await until(() => replaced.length === 1_000, 'every callback was called')
    assert.equal(replaced.filter((code) => code === 'SWS_CLOSED').length, 999)
    assert.deepEqual(
      events.filter(({ type }) => type === 'output.refused'),
      [],
    )
  })
}

test('RS-09 near miss: a client that keeps up gets every message with `latest`, and every one with "drop"', async (t) => {
  const { app, events, reader } = await room(t, { slowReader: 'drop' })
  const quick = await reader()
  quick.wake()
  for (let at = 0; at < 100; at++) {
    quick.socket.send(`${at} a`, { latest: 'a' })
    app.secureWs.to('room').send(`${at} b`, { latest: 'a' })
    await until(() => quick.messages.length === 2 * at + 2, 'both came')
  }
  assert.equal(events.filter(({ type }) => type === 'output.refused').length, 0)
})

test('RS-09 dropped is a whole message: of one that is sent in fragments all, also those that come later', async (t) => {
  const { app, reader } = await room(t, { slowReader: 'drop', limits: { outboundBytes: 1_000_000 } })
  const slow = await reader()
  const told: unknown[] = []
  let sends = 0
  const send = (text: string, fin: boolean) => {
    sends++
    slow.socket.send(text, { fin }, (error) => told.push(error))
  }
  for (let at = 0; at < 200; at++) {
    send(`${at} `, false)
    app.secureWs.to('room').send(`-1 ${filling}`)
    if (at % 3 === 0) await turn()
    send(filling, false)
    if (at % 7 === 0) await turn()
    app.secureWs.to('room').send(`-1 ${filling}`)
    // So many that the beginning is the oldest, and goes before the end is there.
    for (let more = 0; at === 150 && more < 40; more++) app.secureWs.to('room').send(`-1 ${filling}`)
    send(' end', true)
  }
  slow.wake()
  send('200 ', false)
  send(' end', true)
  await until(() => slow.messages.some((message) => message.startsWith('200 ')), 'the newest came')
  const own = slow.messages.filter((message) => !message.startsWith('-1 '))
  assert.ok(own.length > 10 && own.length < 200)
  for (const message of own) assert.ok(message.endsWith(' end') && /^\d+ /.test(message))
  for (const message of own.slice(0, -1)) assert.equal(message.length, `${numberOf(message)}  end`.length + 50_000)
  await until(() => told.length === sends, 'every callback was called')
})

test('RS-09 with "drop" a message larger than limits.outboundBytes goes, and what waits stays', async (t) => {
  const { events, reader } = await room(t, { slowReader: 'drop', limits: { outboundBytes: 1_000_000 } })
  const slow = await reader()
  const filled = await fill(slow)
  slow.socket.send('0 kept')
  slow.socket.send('y'.repeat(1_000_001))
  assert.equal(events.filter(({ code }) => code === 'SWS_SLOW_READER').length, 1)
  slow.wake()
  await until(() => slow.messages.length === filled + 1, 'the rest came')
  assert.equal(slow.messages.at(-1), '0 kept')
})

test('RS-09 with "drop" a client that reads nothing at all is closed after limits.writeTimeout', async (t) => {
  const { events, reader } = await room(t, {
    slowReader: 'drop',
    limits: { outboundBytes: 1_000_000, writeTimeout: 300 },
  })
  const slow = await reader()
  await fill(slow)
  await until(() => events.some(({ type }) => type === 'socket.closed'), 'it was closed')
  const { code, reason } = events.find(({ type }) => type === 'socket.closed') ?? {}
  assert.deepEqual([code, reason], [1013, 'not drained within 300 ms (limits.writeTimeout)'])
})

test('RS-09 what is held back for a slow reader leaves before the close frame', async (t) => {
  const { reader } = await room(t, { slowReader: 'drop', limits: { outboundBytes: 1_000_000 } })
  const slow = await reader()
  const filled = await fill(slow)
  slow.socket.send('0 last words', { latest: 'words' })
  slow.socket.close(4000)
  slow.wake()
  await until(() => slow.closed === 4000, 'it was closed')
  assert.deepEqual([slow.messages.length, slow.messages.at(-1)], [filled + 1, '0 last words'])
})

test('`latest` of a broadcast counts on the other nodes, too', async (t) => {
  const bus = memoryBus()
  const limits = { outboundBytes: 20_000_000 }
  const [here, there] = [await room(t, { bus, limits }), await room(t, { bus, limits })]
  const [slow, quick] = [await there.reader(), await there.reader()]
  quick.wake()
  const filled = await fill(slow)
  for (let at = 0; at < 100; at++) here.app.secureWs.to('room').send(`${at} price`, { latest: 'price' })
  here.app.secureWs.to('room').send('100 end')
  await until(() => quick.messages.at(-1) === '100 end', 'all of it had crossed')
  slow.wake()
  await until(() => slow.messages.at(-1) === '100 end', 'the last came')
  assert.deepEqual(slow.messages.slice(filled), ['99 price', '100 end'])
})

test('a `latest` that is no name is refused, and one that only Object.prototype has does not count', async (t) => {
  const { app, reader } = await room(t)
  const { socket } = await reader()
  for (const latest of ['', 'x'.repeat(257), 1, null, {}]) {
    const options = { latest } as { latest: string }
    assert.throws(() => socket.send('x', options), { code: 'SWS_BAD_OPTION' })
    assert.throws(() => app.secureWs.to('room').send('x', options), { code: 'SWS_BAD_OPTION' })
  }
  assert.throws(() => socket.send('x', { latest: 'a', fin: false }), { code: 'SWS_BAD_OPTION', message: /fin/ })
  Object.defineProperty(Object.prototype, 'latest', { value: 1, configurable: true, writable: true })
  try {
    socket.send('x', {})
    app.secureWs.to('room').send('x', {})
  } finally {
    Reflect.deleteProperty(Object.prototype, 'latest')
  }
})
