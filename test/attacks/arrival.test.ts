import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { constants, deflateRawSync } from 'node:zlib'
import { frame, json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// What a client sends is counted when it comes, as large as it is here: with compression a kilobyte is a megabyte, and behind
// a listener that takes its time all of it waits.

const schema = { type: 'object', properties: { text: { type: 'string', maxLength: 1_000_000 } } } as const
const compression = { websocket: { options: { perMessageDeflate: true } } }

const headersFor = (port: number) =>
  [
    ['Host', `127.0.0.1:${port}`],
    ['Origin', `http://127.0.0.1:${port}`],
    ['Sec-WebSocket-Extensions', 'permessage-deflate'],
  ] as const

function compressed(value: unknown): Buffer {
  const deflated = deflateRawSync(JSON.stringify(value), { finishFlush: constants.Z_SYNC_FLUSH })
  return frame({ rsv: 4, payload: deflated.subarray(0, -4) })
}

/** A route whose listener takes so many ms, and how much text it has heard. */
async function slowRoute(
  t: TestContext,
  options: Parameters<typeof startServer>[1],
  ms: number,
  secureWs: object = {},
) {
  const heard = { messages: 0, bytes: 0 }
  const server = await startServer(t, options, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: { schema } }, ...secureWs } }, (socket) => {
      socket.on('say', async ({ text }) => {
        heard.messages++
        heard.bytes += text?.length ?? 0
        await wait(ms, undefined, { ref: false })
      })
    })
  })
  const peer = await server.connect({ headers: headersFor(server.port) })
  return { server, peer, heard }
}

const refusals = (events: readonly { type: string; code?: string | number; reason?: string }[]) =>
  events.filter(({ type }) => type === 'message.refused').map(({ reason }) => reason)

test('C3 inflated bytes that wait have a bound, and whoever goes over it is closed', async (t) => {
  const { server, peer, heard } = await slowRoute(t, compression, 60_000)
  assert.match(peer.answer.head, /permessage-deflate/i)
  const bomb = compressed({ type: 'say', text: 'x'.repeat(60_000) })
  assert.ok(bomb.length < 200)
  peer.write(...Array<Buffer>(1_000).fill(bomb))
  assert.equal(await peer.closeCode(), 4429)
  assert.deepEqual(refusals(server.events), ['more waits for a listener than one read can bring (limits.messageBytes)'])
  assert.equal(heard.messages, 1)
})

test('C3 the byte rate counts what is inflated, in the turn in which it comes', async (t) => {
  const limits = { bytes: { perSecond: 1_000, burst: 200_000 } }
  const { server, peer } = await slowRoute(t, { ...compression, limits }, 60_000)
  const bomb = compressed({ type: 'say', text: 'x'.repeat(60_000) })
  peer.write(...Array<Buffer>(5).fill(bomb))
  await until(() => peer.texts.length === 2, 'the fourth and fifth were answered while the first one still waits')
  assert.deepEqual(refusals(server.events), ['rate: limits.bytes', 'rate: limits.bytes'])
})

test('C3 the message rate counts what waits behind a slow listener', async (t) => {
  const limits = { messages: { perSecond: 1, burst: 10 }, refusals: { perMinute: 5 } }
  const { peer, heard } = await slowRoute(t, { limits }, 60_000)
  peer.write(...Array<Buffer>(20).fill(json({ type: 'say' })))
  assert.equal(await peer.closeCode(), 4429)
  assert.equal(heard.messages, 1)
})

test('C3 near miss: megabytes that are not compressed wait in the kernel, and all arrive', async (t) => {
  const { server, peer, heard } = await slowRoute(t, compression, 5)
  const message = json({ type: 'say', text: 'x'.repeat(60_000) })
  peer.write(...Array<Buffer>(100).fill(message))
  await until(() => heard.messages === 100, 'all were heard')
  assert.equal(heard.bytes, 6_000_000)
  assert.deepEqual(refusals(server.events), [])
})

test("C3 a route's larger messageBytes holds for compressed messages, and no more than that", async (t) => {
  const secureWs = { limits: { messageBytes: 500_000 } }
  const { peer, heard } = await slowRoute(t, compression, 1, secureWs)
  peer.write(compressed({ type: 'say', text: 'x'.repeat(400_000) }))
  await until(() => heard.messages === 1, 'it was heard')
  assert.equal(heard.bytes, 400_000)
  peer.write(compressed({ type: 'say', text: 'x'.repeat(500_000) }))
  assert.equal(await peer.closeCode(), 1009)
})

test("C3 a route's smaller messageBytes holds for compressed messages as well", async (t) => {
  const secureWs = { limits: { messageBytes: 1_000 } }
  const { peer, heard } = await slowRoute(t, compression, 1, secureWs)
  peer.write(compressed({ type: 'say', text: 'x'.repeat(900) }))
  await until(() => heard.messages === 1, 'it was heard')
  peer.write(compressed({ type: 'say', text: 'x'.repeat(1_100) }))
  assert.equal(await peer.closeCode(), 1009)
})
