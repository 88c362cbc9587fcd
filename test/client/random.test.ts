import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientState } from '../../src/client/client.ts'
import { ClientError } from '../../src/client/client.ts'
import { startServer } from '../harness/server.ts'
import { startTcpProxy } from '../harness/tcp-proxy.ts'
import { watch } from './harness.ts'

// A server that ends connections at random, in every way that brings a client back, while requests are under way.

/** States that may follow each other. */
const next: Readonly<Record<ClientState['name'], readonly ClientState['name'][]>> = {
  connecting: ['open', 'waiting', 'closed'],
  open: ['waiting', 'closed'],
  waiting: ['connecting', 'waiting', 'closed'],
  refused: [],
  closed: [],
}

test('of hundreds of requests each ends once, with its own answer or a code, whatever ends the connections', async (t) => {
  const number = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } as const
  const ends = [1001, 1011, 1012, 3008] as const
  const server = await startServer(t, {}, (app) =>
    app.get(
      '/ws',
      { websocket: true, secureWs: { receives: { square: { schema: number, reply: { type: 'number' } } } } },
      (socket) => {
        socket.on('square', async ({ n }) => {
          const chance = Math.random()
          if (chance < 0.03) socket.terminate()
          else if (chance < 0.06) socket.close(ends[Math.floor(Math.random() * ends.length)])
          await sleep(Math.random() * 4)
          return n * n
        })
      },
    ),
  )
  const proxy = await startTcpProxy(server.port)
  t.after(() => proxy.close())
  const { client, states } = watch(t, proxy.port, {
    pause: { first: 5, ceiling: 20 },
    queue: 20,
  })
  let answered = 0
  let answeredBefore = 0
  const cutting = setInterval(() => {
    // Not before something came through: on a busy machine a connection takes longer than that.
    if (answered === answeredBefore) return
    answeredBefore = answered
    proxy.cut()
    proxy.mend()
  }, 150)
  t.after(() => clearInterval(cutting))

  const ended = new Map<number, unknown[]>()
  const asked: Promise<void>[] = []
  const note = (n: number, how: unknown) => void ended.set(n, [...(ended.get(n) ?? []), how])
  for (let n = 0; n < 600 || answered <= 200; n++) {
    asked.push(
      client.request('square', { n }, { timeout: 3_000 }).then(
        (value) => {
          note(n, value)
          if (value === n * n) answered++
        },
        (error) => note(n, error instanceof ClientError ? error.code : error),
      ),
    )
    await sleep(3)
  }
  await Promise.all(asked)
  assert.equal(ended.size, asked.length)
  const codes = new Set<unknown>(['SWS_LOST', 'SWS_NOT_OPEN', 'SWS_NO_ANSWER'])
  const wrong = [...ended].filter(([n, [how, ...more]]) => more.length > 0 || !(how === n * n || codes.has(how)))
  assert.deepEqual(wrong, [])
  assert.ok(states.filter(({ name }) => name === 'open').length > 5, 'the connection was lost often')
  states.slice(1).forEach(({ name }, index) => {
    const before = states[index]?.name ?? 'closed'
    assert.ok(next[before].includes(name), `${before}, then ${name}`)
  })
})
