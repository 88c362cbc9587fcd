import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Clocks, takeClocks } from '../harness/clocks.ts'
import { json, text } from '../harness/frames.ts'
import type { Random } from '../harness/random.ts'
import type { RawPeer } from '../harness/raw-peer.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

interface Message {
  readonly by: string
  readonly ms: number
}

/** What a kind of message does on the server, and what its client is to get for it. */
interface Kind {
  readonly answer: 'reply' | `SWS_${string}`
  /** Counts towards the five faults that close a socket. */
  readonly isFault?: boolean
  /** Takes long: at most one for each socket. */
  readonly isLong?: boolean
  readonly listen?: (message: Message, socket: Socket) => unknown
  readonly authorize?: () => unknown
}

type Socket = {
  send(value: unknown, callback?: (error?: Error) => unknown): void
  pause(): void
  resume(): void
  close(code: number): void
}

const who = new AsyncLocalStorage<string>()
const never = () => new Promise<never>(() => {})
const looked = () => {
  throw new RangeError('looked at')
}
/** Throws at whoever looks at it. */
const spring = new Proxy(() => {}, { get: looked, has: looked, getPrototypeOf: looked, ownKeys: looked, apply: looked })

/** Whose context it began in, and in whose it ended: the first is nobody's, the second its own. */
const contexts = ({ by }: Message) => {
  const before = who.getStore() ?? 'nobody'
  who.enterWith(by)
  return { by, before }
}

const kinds: Readonly<Record<string, Kind>> = {
  sync: { answer: 'reply', listen: (message) => ({ ...contexts(message), after: who.getStore() }) },
  slow: {
    answer: 'reply',
    async listen(message) {
      const seen = contexts(message)
      await wait(message.ms)
      return { ...seen, after: who.getStore() }
    },
  },
  pausing: {
    answer: 'reply',
    listen(message, socket) {
      socket.pause()
      setTimeout(() => socket.resume(), message.ms)
      return { ...contexts(message), after: who.getStore() }
    },
  },
  calledBack: {
    answer: 'reply',
    isFault: true,
    listen(message, socket) {
      const seen = contexts(message)
      socket.send({ type: 'note' }, message.ms % 2 === 0 ? looked : () => Promise.reject(spring))
      return { ...seen, after: who.getStore() }
    },
  },
  throwing: { answer: 'SWS_INTERNAL', isFault: true, listen: (message) => contexts(message) && looked() },
  throwingSpring: {
    answer: 'SWS_INTERNAL',
    isFault: true,
    listen() {
      throw spring
    },
  },
  rejecting: { answer: 'SWS_INTERNAL', isFault: true, listen: async () => looked() },
  returningSpring: { answer: 'SWS_INTERNAL', isFault: true, listen: () => new Proxy({}, { get: looked, has: looked }) },
  throwingThen: {
    answer: 'SWS_INTERNAL',
    isFault: true,
    // biome-ignore lint/suspicious/noThenProperty: a thenable of somebody's own is the point
    listen: () => ({ then: looked }),
  },
  unsendable: { answer: 'SWS_INTERNAL', isFault: true, listen: () => ({ toJSON: looked }) },
  hanging: { answer: 'SWS_TIMEOUT', isLong: true, listen: (message) => contexts(message) && never() },
  late: {
    answer: 'SWS_TIMEOUT',
    isLong: true,
    isFault: true,
    async listen(message) {
      contexts(message)
      // Long after its time: on a busy machine the loop stands still now and then, and that is not counted against it.
      await wait(750)
      looked()
    },
  },
  forbidden: { answer: 'SWS_FORBIDDEN', authorize: () => false },
  unanswered: { answer: 'SWS_INTERNAL', isLong: true, authorize: never },
  askedInVain: { answer: 'SWS_INTERNAL', authorize: looked },
  rejected: { answer: 'SWS_INTERNAL', authorize: () => Promise.reject(spring) },
  unheard: { answer: 'SWS_NO_LISTENER' },
  unknown: { answer: 'SWS_UNKNOWN_TYPE' },
}
const names = Object.keys(kinds)

export interface RandomConnections {
  readonly server: TestServer
  readonly clocks: Clocks
  /** What would have ended the process. */
  readonly uncaught: readonly string[]
}

/** A server on which every kind of message is declared, and whose clocks can be moved. */
export async function startRandomConnections(t: TestContext): Promise<RandomConnections> {
  const clocks = takeClocks(t)
  const uncaught: string[] = []
  // Not the thing itself: it may throw at whoever looks at it.
  const note = (_thrown: unknown, how: unknown) => uncaught.push(typeof how === 'string' ? how : 'unhandledRejection')
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, note)
    t.after(() => process.off(event, note))
  }
  const limits = {
    listener: 250,
    lookup: 100,
    heartbeat: { every: 200, timeout: 150 },
    refusals: { perMinute: 1_000_000 },
    lifetime: 400_000_000,
    idle: 400_000_000,
  }
  const schema = { type: 'object', properties: { by: { type: 'string' }, ms: { type: 'integer' } } } as const
  const receives: Record<string, object> = { bye: { schema } }
  for (const [name, { authorize }] of Object.entries(kinds)) {
    if (name !== 'unknown') receives[name] = { schema, ...(authorize && { authorize }) }
  }
  const server = await startServer(t, { limits }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: receives as never } }, (given) => {
      const socket = given as object as Socket & { on(name: string, listener: (message: Message) => unknown): void }
      for (const [name, { listen }] of Object.entries(kinds)) {
        if (listen !== undefined) socket.on(name, (message) => listen(message, socket))
      }
      socket.on('bye', () => socket.close(4000))
    })
  })
  return { server, clocks, uncaught }
}

interface Sent {
  readonly id: number
  readonly name: string
}

/**
 * Some sockets say random things at once while the clocks jump and the loop stands still. Each message gets its own answer and
 * no other, in order, in its own context; nothing of it ends a socket, or the process.
 */
export async function tryRandomConnections(connections: RandomConnections, random: Random): Promise<void> {
  const { server, uncaught } = connections
  const peers = await Promise.all(Array.from({ length: 2 + random.below(4) }, () => server.connect()))
  const stop = answerPings(peers)
  try {
    await converse(connections, peers, random)
  } finally {
    // Also of those that fail: a timer, or a client that waits, would keep the process for ever.
    stop()
    for (const peer of peers) peer.socket.destroy()
  }
  await server.empty()
  assert.deepEqual(uncaught, [])
}

async function converse({ clocks }: RandomConnections, peers: readonly RawPeer[], random: Random): Promise<void> {
  const moves = [
    () => clocks.moveDate(random.below(2_000_000_000) - 1_000_000_000),
    () => clocks.sleep(random.below(600_000)),
    () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, random.below(40)),
  ]
  const talks = peers.map((peer, number) => talk(peer, `socket ${number}`, random))
  // One pause at most: a listener that is slow and in time must not be made late by several.
  await wait(random.below(10))
  moves[random.below(moves.length)]?.()
  const sent = await Promise.all(talks)
  for (const [number, peer] of peers.entries()) {
    const expected = sent[number] ?? []
    await until(() => answersOf(peer).length >= expected.length || peer.gone, `socket ${number} was answered`)
    check(answersOf(peer), expected, `socket ${number}`)
    assert.equal(peer.closed, undefined, `socket ${number} was closed with ${peer.closed?.code}`)
  }
  for (const peer of peers) peer.write(json({ type: 'bye' }), json({ type: 'sync', id: 1_000, by: 'too late', ms: 0 }))
  for (const [number, peer] of peers.entries()) {
    assert.equal(await peer.closeCode(), 4000)
    assert.equal(answersOf(peer).length, sent[number]?.length, 'nothing was answered after the close')
  }
}

async function talk(peer: RawPeer, by: string, random: Random): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  let faults = 0
  let long = 0
  const count = 5 + random.below(25)
  for (let id = 0; id < count; id++) {
    const name = names[random.below(names.length)] ?? 'sync'
    const kind = kinds[name]
    if (kind?.isFault === true && ++faults > 4) continue
    if (kind?.isLong === true && ++long > 1) continue
    sent.push({ id, name })
    peer.write(json({ type: name, id, by, ms: random.below(8) }))
    if (random.below(20) === 0) peer.write(text('no JSON'))
    if (random.below(3) === 0) await wait(random.below(4))
  }
  return sent
}

interface Answer {
  readonly type?: unknown
  readonly id?: unknown
  readonly code?: unknown
  readonly value?: { readonly by?: unknown; readonly before?: unknown; readonly after?: unknown }
}

function answersOf(peer: RawPeer): readonly Answer[] {
  return (peer.messages as readonly Answer[]).filter(({ id }) => id !== undefined)
}

function check(answers: readonly Answer[], sent: readonly Sent[], by: string): void {
  for (const [index, { id, name }] of sent.entries()) {
    const { answer } = kinds[name] ?? { answer: 'reply' }
    const expected =
      answer === 'reply'
        ? { type: 'reply', id, value: { by, before: 'nobody', after: by } }
        : { type: 'error', code: answer, id }
    assert.deepEqual(answers[index], expected, `${by}, ${name}`)
  }
  assert.equal(answers.length, sent.length)
}

/** As every client does; returns the function that stops it. */
function answerPings(peers: readonly RawPeer[]): () => void {
  const timer = setInterval(() => {
    for (const peer of peers) {
      for (const ping of peer.frames.filter(({ opcode }) => opcode === 9).slice(answered.get(peer) ?? 0)) {
        answered.set(peer, (answered.get(peer) ?? 0) + 1)
        peer.write(pong(ping.payload))
      }
    }
  }, 10)
  const answered = new Map<RawPeer, number>()
  return () => clearInterval(timer)
}

function pong(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x8a, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
