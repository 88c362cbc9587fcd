import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import type { SecureSocket } from '../../src/index.ts'
import fc from '../harness/fast-check.ts'
import { opcodes, type ServerFrame } from '../harness/frames.ts'
import { openPeer, type RawPeer } from '../harness/raw-peer.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// C1, C4: whatever is sent in whatever order, a client gets from us what it gets from bare ws. Bytes may be refilled, or
// transferred to a worker, as soon as `send` has returned: the model sends a copy of its own.

type Step =
  | { readonly kind: 'text'; readonly text: string; readonly fin: boolean }
  | { readonly kind: 'bytes'; readonly at: number; readonly view: 'whole' | 'part' | 'buffer'; readonly fin: boolean }
  | { readonly kind: 'blob'; readonly text: string; readonly fin: boolean }
  | { readonly kind: 'refill'; readonly at: number; readonly byte: number }
  | { readonly kind: 'transfer'; readonly at: number }
  | { readonly kind: 'ping' | 'pong'; readonly text: string }
  | { readonly kind: 'turn' | 'wait' | 'broadcast' }

const text = fc.oneof(
  fc.string({ maxLength: 50 }),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.constant('x'.repeat(70_000)),
)
/** A control frame of ours is cut and encoded; here is what it does to neither. */
const word = fc.stringMatching(/^[a-z]{0,20}$/)
const at = fc.nat({ max: 3 })
const fin = fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('text' as const), text, fin }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('bytes' as const),
      at,
      view: fc.constantFrom('whole' as const, 'part' as const, 'buffer' as const),
      fin,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('blob' as const), text, fin }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('refill' as const), at, byte: fc.nat({ max: 255 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('transfer' as const), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), text: word }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('turn' as const, 'wait' as const) }) },
)

type Sender = Pick<WebSocket, 'ping' | 'pong' | 'close'> & {
  send(payload: unknown, options: object, callback?: (error?: Error) => void): void
}

interface Player {
  readonly sender: Sender
  broadcast(): void
}

/** @param model hands ws copies: the steps that come change nothing of them */
async function play(
  { sender, broadcast }: Player,
  steps: readonly Step[],
  model: boolean,
): Promise<(Error | undefined)[]> {
  const buffers = Array.from({ length: 4 }, (_, index) => new Uint8Array(40).fill(index))
  const told: (Error | undefined)[] = []
  let unfinished = false
  const say = (payload: unknown, fin: boolean) => {
    unfinished = !fin
    sender.send(payload, { fin }, (error) => told.push(error))
  }
  for (const step of steps) {
    switch (step.kind) {
      case 'text':
        say(step.text, step.fin)
        break
      case 'blob':
        say(new Blob([step.text]), step.fin)
        break
      case 'bytes': {
        const whole = buffers[step.at] ?? new Uint8Array()
        const bytes = step.view === 'part' ? whole.subarray(3, 30) : whole
        if (model) say(Buffer.from(bytes), step.fin)
        else say(step.view === 'buffer' ? bytes.buffer : bytes, step.fin)
        break
      }
      case 'refill':
        buffers[step.at]?.fill(step.byte)
        break
      case 'transfer': {
        const buffer = buffers[step.at]?.buffer
        if (buffer !== undefined) structuredClone(buffer, { transfer: [buffer] })
        buffers[step.at] = new Uint8Array(40).fill(step.at + 100)
        break
      }
      case 'ping':
        sender.ping(step.text)
        break
      case 'pong':
        sender.pong(step.text)
        break
      case 'broadcast':
        broadcast()
        break
      case 'turn':
        await new Promise(setImmediate)
        break
      case 'wait':
        await new Promise((resolve) => setTimeout(resolve, 3))
    }
  }
  if (unfinished) say('', true)
  sender.close(4000, 'end')
  return told
}

/** Messages in order, and control frames in order: where a ping stands between messages says nothing (RFC 6455 section 5.5). */
function received(frames: readonly ServerFrame[]): {
  readonly data: readonly unknown[]
  readonly control: readonly unknown[]
} {
  const shown = frames.map(({ opcode, fin, payload }) => ({ opcode, fin, payload: payload.toString('latin1') }))
  const isControl = ({ opcode }: { opcode: number }) => opcode >= opcodes.close
  return { data: shown.filter((frame) => !isControl(frame)), control: shown.filter(isControl) }
}

async function bareWs(t: TestContext): Promise<() => Promise<Player & { peer: RawPeer }>> {
  const http = createServer()
  const server = new WebSocketServer({ server: http })
  const sockets: WebSocket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  t.after(() => {
    for (const client of server.clients) client.terminate()
    http.close()
  })
  return async () => {
    const peer = await openPeer({ port })
    t.after(() => peer.socket.destroy())
    const sender = sockets.at(-1)
    assert.ok(sender)
    return { peer, sender: sender as Sender, broadcast() {} }
  }
}

async function ours(t: TestContext): Promise<() => Promise<Player & { peer: RawPeer }>> {
  const sockets: SecureSocket[] = []
  const server = await startServer(t, { encode: 'none', limits: { outboundBytes: 50_000_000 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.join(socket.id)
      sockets.push(socket as SecureSocket)
    })
  })
  return async () => {
    const peer = await server.connect()
    const sender = sockets.at(-1)
    assert.ok(sender)
    const broadcast = () => server.app.secureWs.to(sender.id).send('broadcast')
    return { peer, sender: sender as Sender, broadcast }
  }
}

const isSend = ({ kind }: Step) => kind === 'text' || kind === 'bytes' || kind === 'blob'

test('C1 C4 random sends arrive as bare ws delivers them', { timeout: 120_000 }, async (t) => {
  const [openWs, openOurs] = [await bareWs(t), await ours(t)]
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const [theirs, our] = [await openWs(), await openOurs()]
      const [toldByWs, told] = await Promise.all([play(theirs, steps, true), play(our, steps, false)])
      assert.deepEqual([await our.peer.closeCode(), await theirs.peer.closeCode()], [4000, 4000])
      assert.deepEqual(received(our.peer.frames), received(theirs.peer.frames))
      await until(() => told.length === toldByWs.length, 'every callback was called')
      assert.ok(told.length >= steps.filter(isSend).length && told.every((error) => !(error instanceof Error)))
    }),
    { numRuns: 150 },
  )
})

test('C4 the same with broadcasts between them: each is a message of its own', { timeout: 120_000 }, async (t) => {
  const [openWs, openOurs] = [await bareWs(t), await ours(t)]
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: step }, fc.constant<Step>({ kind: 'broadcast' })), {
    maxLength: 30,
  })
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const [theirs, our] = [await openWs(), await openOurs()]
      await Promise.all([play(theirs, steps, true), play(our, steps, false)])
      assert.deepEqual([await our.peer.closeCode(), await theirs.peer.closeCode()], [4000, 4000])
      let between = false
      for (const { opcode, fin } of our.peer.frames.filter(({ opcode }) => opcode < opcodes.close)) {
        assert.equal(opcode === opcodes.continuation, between)
        between = !fin
      }
      const broadcasts = our.peer.frames.filter(isBroadcast)
      assert.equal(broadcasts.length, steps.filter(({ kind }) => kind === 'broadcast').length)
      const others = our.peer.frames.filter((frame) => !isBroadcast(frame))
      assert.deepEqual(received(others), received(theirs.peer.frames))
    }),
    { numRuns: 150 },
  )
})

const isBroadcast = ({ opcode, fin, payload }: ServerFrame) =>
  opcode === opcodes.text && fin && payload.toString() === 'broadcast'
