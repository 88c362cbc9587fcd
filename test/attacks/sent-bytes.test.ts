import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import WebSocket from 'ws'
import type { SecureSocket } from '../../src/index.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

interface Client {
  readonly client: WebSocket
  readonly socket: SecureSocket
  /** The next message of this client. */
  next(): Promise<Buffer>
}

/** Sockets of one server, each with the client at its other end. */
async function sockets(t: TestContext, count: number): Promise<{ clients: Client[]; faults: () => number }> {
  const opened: SecureSocket[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      opened.push(socket)
      socket.on('message', () => {})
    })
  })
  const clients: Client[] = []
  for (let at = 0; at < count; at++) {
    const headers = { host: `localhost:${server.port}` }
    const client = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, {
      origin: `http://localhost:${server.port}`,
      headers,
    })
    t.after(() => client.terminate())
    const got: Buffer[] = []
    const waiting: ((frame: Buffer) => void)[] = []
    client.on('message', (frame: Buffer) => {
      const first = waiting.shift()
      if (first === undefined) got.push(frame)
      else first(frame)
    })
    await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject))
    const socket = opened[at]
    assert.ok(socket)
    clients.push({
      client,
      socket,
      next: () =>
        new Promise((resolve) => {
          const first = got.shift()
          if (first === undefined) waiting.push(resolve)
          else resolve(first)
        }),
    })
  }
  return { clients, faults: () => server.events.filter(({ type }) => type === 'message.failed').length }
}

// C1: the bytes were read at the end of the turn. One client got what was meant for another.
test('a buffer that is refilled after send() leaves as it was, on each socket', async (t) => {
  const { clients } = await sockets(t, 2)
  const scratch = Buffer.alloc(8)
  for (const [at, { socket }] of clients.entries()) {
    scratch.fill(at === 0 ? 'a' : 'b')
    socket.send(scratch)
  }
  scratch.fill('x')
  assert.deepEqual(await Promise.all(clients.map(async ({ next }) => String(await next()))), ['aaaaaaaa', 'bbbbbbbb'])
})

test('C1 a buffer that is transferred after send() leaves, and the process lives', async (t) => {
  const { clients } = await sockets(t, 2)
  const [a, b] = clients
  assert.ok(a && b)
  const bytes = new Uint8Array(100_000).fill(7)
  a.socket.send(bytes)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  b.socket.send('after it')
  assert.deepEqual(await a.next(), Buffer.alloc(100_000, 7))
  assert.equal(String(await b.next()), 'after it')
})

// A model of ws: what arrives is what each buffer held in the moment of its send().
test('C1 random sends of buffers that are refilled and transferred arrive as they were', async (t) => {
  const { clients } = await sockets(t, 3)
  let seed = 12_345
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed % below
  }
  const expected = clients.map((): string[] => [])
  let buffers = Array.from({ length: 4 }, () => new Uint8Array(64))
  for (let step = 0; step < 600; step++) {
    const at = random(buffers.length)
    const buffer = buffers[at] ?? new Uint8Array(64)
    const to = random(clients.length)
    const kind = random(6)
    if (kind === 0) buffer.fill(random(256))
    else if (kind === 1) {
      structuredClone(buffer, { transfer: [buffer.buffer] })
      buffers = buffers.map((each, index) => (index === at ? new Uint8Array(64).fill(random(256)) : each))
    } else if (kind === 2) {
      clients[to]?.socket.send(`step ${step}`)
      expected[to]?.push(Buffer.from(`step ${step}`).toString('hex'))
    } else {
      const part = kind === 3 ? buffer : kind === 4 ? buffer.subarray(3, 40) : buffer.buffer.slice(0)
      clients[to]?.socket.send(part)
      expected[to]?.push(Buffer.from(part instanceof ArrayBuffer ? new Uint8Array(part) : part).toString('hex'))
    }
    if (random(20) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  for (const [index, { next }] of clients.entries()) {
    for (const wanted of expected[index] ?? []) assert.equal((await next()).toString('hex'), wanted)
  }
})

test('C1 a pong of the application is taken when it is sent', async (t) => {
  const { clients } = await sockets(t, 1)
  const [a] = clients
  assert.ok(a)
  const scratch = Buffer.from('first')
  const heard = new Promise<Buffer>((resolve) => a.client.on('pong', resolve))
  a.socket.pong(scratch)
  scratch.fill('x')
  assert.equal(String(await heard), 'first')
})

test('a callback that throws or rejects is a fault, of send(), ping() and pong()', async (t) => {
  const { clients, faults } = await sockets(t, 1)
  const [a] = clients
  assert.ok(a)
  const thrown = () => {
    throw new Error('of the application')
  }
  const rejected = async () => thrown()
  a.socket.ping('', false, thrown)
  a.socket.pong('', false, thrown)
  a.socket.send('one', rejected)
  a.socket.send('two')
  assert.equal(String(await a.next()), 'one')
  assert.equal(String(await a.next()), 'two')
  await until(() => faults() === 3, 'each was heard of')
})

test('a callback of send() that throws is a fault of its socket, and of no other', async (t) => {
  const { clients, faults } = await sockets(t, 2)
  const [a, b] = clients
  assert.ok(a && b)
  const called = new Promise<void>((resolve) => {
    a.socket.send('one', () => {
      throw new Error('of the application')
    })
    a.socket.send('two', () => resolve())
  })
  b.socket.send('three')
  await called
  assert.equal(String(await b.next()), 'three')
  assert.equal(faults(), 1)
})

// A polluted prototype reached into the options of one send, and switched the encoder off.
test('an `encode` that only Object.prototype has does not count', async (t) => {
  const { clients } = await sockets(t, 1)
  const [a] = clients
  assert.ok(a)
  Object.defineProperty(Object.prototype, 'encode', { value: 'none', configurable: true, writable: true })
  try {
    a.socket.send('<i>', {})
  } finally {
    Reflect.deleteProperty(Object.prototype, 'encode')
  }
  assert.equal(String(await a.next()), '&lt;i&gt;')
  a.socket.send('<i>', { encode: 'none' })
  assert.equal(String(await a.next()), '<i>')
})
