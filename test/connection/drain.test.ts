import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDrain, type Drained } from '../../src/connection/drain.ts'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

/** A connection that is gone once it was told, or only once it was cut; and how many were told in each turn. */
function connections(count: number, stubborn: boolean) {
  const open = new Set<Drained>()
  const told: number[] = []
  const batches: number[] = []
  let isBatch = false
  let cut = 0
  for (let index = 0; index < count; index++) {
    let ended = false
    const connection: Drained = {
      get ended() {
        return ended
      },
      end(code, _reason, { retryAfter }) {
        assert.equal(code, 1012)
        ended = true
        told.push(retryAfter ?? -1)
        if (!isBatch) {
          isBatch = true
          batches.push(0)
          queueMicrotask(() => {
            isBatch = false
          })
        }
        batches.push((batches.pop() ?? 0) + 1)
        if (!stubborn) open.delete(connection)
      },
      terminate() {
        cut++
        open.delete(connection)
      },
    }
    open.add(connection)
  }
  return { open, told, batches, cut: () => cut }
}

test('a batch at a time, each told a time of its own to return', async () => {
  const { open, told, batches } = connections(10, false)
  const drain = createDrain({ limits: { batch: 4, every: 20, deadline: 10_000 }, connections: () => open, report() {} })
  assert.equal(drain.started, false)
  const done = drain.start()
  assert.equal(drain.started, true)
  assert.equal(told.length, 0, 'what has arrived is read first')
  await done
  assert.deepEqual(batches, [4, 4, 2])
  assert.ok(told.every((ms) => ms >= 0 && ms <= 1_000))
  assert.ok(new Set(told).size > 1)
})

test('they come back no faster than they were sent away', async () => {
  const { open, told } = connections(400, false)
  const limits = { batch: 40, every: 200, deadline: 10_000 }
  await createDrain({ limits, connections: () => open, report() {} }).start()
  const back = told.map((ms, index) => Math.floor(index / limits.batch) * limits.every + ms).sort((a, b) => a - b)
  const within = (from: number) => back.filter((at) => at >= from && at < from + 1_000).length
  // 200 a second go; moments are drawn, so that a second may get a few more. With the span of what is left, it would be 320.
  const worst = Math.max(...back.map(within))
  assert.ok(worst < 250, `${worst} within a second`)
})

test('RS-10 who is still there at the deadline is cut, told once only', async () => {
  const { open, told, cut } = connections(5, true)
  await createDrain({ limits: { batch: 10, every: 10, deadline: 50 }, connections: () => open, report() {} }).start()
  assert.deepEqual([told.length, cut(), open.size], [5, 5, 0])
})

test('starting twice drains once, and an empty server is drained at once', async () => {
  const drain = createDrain({
    limits: { batch: 1, every: 60_000, deadline: 60_000 },
    connections: () => new Set(),
    report() {},
  })
  assert.equal(drain.start(), drain.start())
  await drain.start()
})

// Class C6. Whoever stops a server stops it in the same turn in which a client's order lies unread in the kernel.
test('what a client had sent before the stop is heard and answered, and what it sends afterwards is not', async (t) => {
  const heard: unknown[] = []
  const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { order: text } } }, (socket) => {
      socket.on('order', (order) => void heard.push(order.text))
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'order', id: 1, text: 'before' }))
  const drained = server.app.secureWs.drain()
  await until(() => peer.closed !== undefined, 'the close frame came')
  peer.write(json({ type: 'order', id: 2, text: 'after' }))
  assert.equal(await peer.closeCode(), 1012)
  await drained
  assert.deepEqual(heard, ['before'])
  assert.deepEqual(peer.messages, [{ type: 'reply', id: 1 }])
})
