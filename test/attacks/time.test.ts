import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Session } from '../../src/index.ts'
import { takeClocks } from '../harness/clocks.ts'
import { frame, opcodes, text } from '../harness/frames.ts'
import { startNode } from '../harness/node-process.ts'
import type { RawPeer } from '../harness/raw-peer.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// Whoever can set the server's date (a time server, an operator, the hypervisor after a migration) must not close every
// socket with it, keep the dead ones, or take an honest client for a flood.

const minute = 60_000

const pings = (peer: RawPeer) => peer.frames.filter(({ opcode }) => opcode === opcodes.ping)
const endsOf = (events: readonly { type: string; code?: string | number; reason?: string }[]) =>
  events.filter(({ type }) => type === 'socket.closed').map(({ code, reason }) => `${code} ${reason}`)

async function echo(t: TestContext, options: Parameters<typeof startServer>[1]) {
  return startServer(t, options, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', (bytes: Buffer) => socket.send(bytes.toString()))
    })
  })
}

// Attack: the date jumps to and fro while sockets are open: with durations on it, all were idle, half a message old, too late
// with their pong, past their lifetime.
test('C5 no jump of the date closes a socket, and its heartbeat goes on', async (t) => {
  const clocks = takeClocks(t)
  const server = await echo(t, { limits: { heartbeat: { every: 200, timeout: 200 } } })
  const peer = await server.connect()
  const answered = new Set<unknown>()
  const answer = () => {
    for (const ping of pings(peer)) {
      if (answered.has(ping)) continue
      answered.add(ping)
      peer.write(frame({ opcode: opcodes.pong, payload: ping.payload }))
    }
  }
  peer.socket.on('data', answer)
  for (const jump of [31 * minute, -60 * minute, 48 * 60 * minute, -59_000, -400 * 24 * 60 * minute]) {
    clocks.moveDate(jump)
    const before = pings(peer).length
    await until(() => pings(peer).length > before, `a ping came after the date had jumped by ${jump} ms`)
    peer.write(text('still here'))
  }
  await until(() => peer.texts.length === 5, 'every message was answered')
  assert.deepEqual(endsOf(server.events), [])
  // Near miss: the dead are found as before, also with the date set back.
  clocks.moveDate(-60 * minute)
  peer.socket.off('data', answer)
  await until(() => peer.gone, 'a client without pongs was cut')
  assert.deepEqual(endsOf(server.events), ['3008 no pong within 200 ms (limits.heartbeat)'])
  assert.ok(
    server.events.every(({ durationMs }) => durationMs === undefined || (durationMs >= 0 && durationMs < minute)),
  )
})

// Attack: date minus 59 seconds. The bucket had no refill until the clock had caught up, and a client within its pace was closed.
test('C5 a date that is set back takes nothing from an honest pace', async (t) => {
  const clocks = takeClocks(t)
  const server = await echo(t, { limits: { messages: { perSecond: 20, burst: 5 } } })
  const peer = await server.connect()
  clocks.moveDate(-59_000)
  for (let sent = 0; sent < 15; sent++) {
    peer.write(text(String(sent)))
    await wait(80)
  }
  await until(() => peer.texts.length === 15, 'all of them were answered')
  // Near miss: a date that is set forward gives nothing either.
  clocks.moveDate(120_000)
  peer.write(...Array.from({ length: 10 }, () => text('flood')))
  assert.equal(await peer.closeCode(), 4429)
})

test('SE-04 what others date goes by the date: a session ends at its expiresAt', async (t) => {
  const clocks = takeClocks(t)
  const expiresAt = Date.now() + 30 * minute
  const authenticate = (): Session => ({ id: 's', expiresAt })
  const server = await echo(t, { authenticate })
  const [silent, speaking] = [await server.connect(), await server.connect()]
  clocks.moveDate(29 * minute)
  speaking.write(text('a'))
  await until(() => speaking.texts.length === 1, 'a minute before it is still good')
  clocks.moveDate(minute)
  speaking.write(text('b'))
  assert.deepEqual([await speaking.closeCode(), await silent.closeCode()], [3000, 3000])
  assert.deepEqual(speaking.texts, ['a'])
})

const limits = { heartbeat: { every: 400, timeout: 200 } }

// Attack by nobody: the loop stands still right after the pings went out, for longer than a pong may take. The pongs are in
// the kernel, and the timer comes before them.
test('C6 healthy clients outlive a loop that stood still, and the dead do not', async (t) => {
  // So long that the order to stand still comes between the pings and their deadline on a busy machine, too.
  const node = await startNode({ limits: { heartbeat: { every: 1_500, timeout: 1_000 } } })
  t.after(() => node.kill())
  const clients = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const socket = new WebSocket(node.url('/chat'), { headers: { 'x-session': `u${index}.1` }, autoPong: false })
      const seen = { code: undefined as number | undefined, ping: undefined as Buffer | undefined, pings: 0 }
      socket.on('close', (code) => {
        seen.code = code
      })
      socket.on('ping', (payload: Buffer) => {
        seen.ping = payload
        seen.pings++
      })
      await new Promise((resolve) => socket.once('open', resolve))
      return { socket, seen }
    }),
  )
  const [dead, ...healthy] = clients
  assert.ok(dead)
  await until(() => clients.every(({ seen }) => seen.ping !== undefined), 'everybody was pinged')
  const blocked = node.call('block', 3_000)
  await wait(100)
  // All of it arrives while nobody reads.
  for (const { socket, seen } of healthy) socket.pong(seen.ping)
  await blocked
  await until(() => dead.seen.code === 1006, 'the one without a pong was cut')
  const over = ({ seen }: (typeof clients)[number]) => seen.code !== undefined || seen.pings > 1
  await until(() => healthy.every(over), 'the others were pinged again, or closed')
  assert.deepEqual(
    healthy.map(({ seen }) => seen.code),
    healthy.map(() => undefined),
  )
  for (const { socket } of clients) socket.terminate()
})

test('C6 a laptop that slept closes nobody but those that stay silent afterwards', async (t) => {
  const clocks = takeClocks(t)
  const server = await echo(t, { limits: { ...limits, idle: 60 * minute } })
  const [awake, silent] = [await server.connect(), await server.connect()]
  await until(() => pings(awake).length === 1 && pings(silent).length === 1, 'both were pinged')
  clocks.sleep(8 * 60 * minute)
  await wait(60)
  awake.write(frame({ opcode: opcodes.pong, payload: pings(awake)[0]?.payload ?? '' }), text('good morning'))
  await until(() => awake.texts.length === 1, 'it was answered')
  await silent.whenGone()
  assert.deepEqual(endsOf(server.events), ['3008 no pong within 200 ms (limits.heartbeat)'])
})

test('C6 the time in which this server slept counts towards the lifetime of a socket', async (t) => {
  const clocks = takeClocks(t)
  const server = await echo(t, { limits: { lifetime: 60 * minute } })
  const peer = await server.connect()
  clocks.sleep(59 * minute)
  peer.write(text('a'))
  await until(() => peer.texts.length === 1, 'it is as open as before')
  clocks.sleep(minute)
  assert.equal(await peer.closeCode(), 3008)
})
