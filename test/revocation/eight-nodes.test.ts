import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bus, memoryBus } from '../../src/index.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

// Class S7: one log-out on 8 nodes with 5 sessions each was 82 envelopes and 41 writes. A list for each node is 18 and 9.
test('S7 one log-out on eight nodes with five sessions each: 18 envelopes, 9 writes, and 40 sockets that end', async (t) => {
  const inner = memoryBus()
  assert.ok(inner.stores)
  const { denials } = inner.stores
  let [envelopes, writes] = [0, 0]
  const bus: Bus = {
    ...inner,
    publish(topic, payload) {
      if (topic === 'control') envelopes++
      return inner.publish(topic, payload)
    },
    stores: {
      ...inner.stores,
      denials: {
        ...denials,
        deny(...all) {
          writes++
          return denials.deny(...all)
        },
      },
    },
  }
  const nodes = await Promise.all(
    Array.from({ length: 8 }, () => oneNode({ find: (id) => ({ id, userId: id.split('.')[0] ?? id }), bus })),
  )
  t.after(() => Promise.all(nodes.map(({ app }) => app.close())))
  const urls = await Promise.all(
    nodes.map(async (node) => {
      node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
      return (await node.listen())('/')
    }),
  )
  const clients = await Promise.all(
    urls.flatMap((url, node) => [0, 1, 2, 3, 4].map((session) => openSocket(url, as(`ann.${node}.${session}`)))),
  )
  const bystanders = await Promise.all(urls.map((url, node) => openSocket(url, as(`bob.${node}`))))
  assert.deepEqual(await nodes[0]?.app.secureWs.revoke({ userId: 'ann' }), { closed: 5, stored: true })
  for (const client of clients) assert.equal(await client.closed, 3000)
  await until(() => writes === 9 && envelopes === 18, `9 writes (${writes}) and 18 envelopes (${envelopes})`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual([envelopes, writes], [18, 9])
  for (const other of bystanders) assert.equal(other.code, undefined)
  await Promise.all(bystanders.map((other) => other.close()))
})
