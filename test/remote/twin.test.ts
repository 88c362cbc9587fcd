import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type NodeProcess, startNode } from '../harness/node-process.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'

// Two processes of one image, and a third node: all that a node has under its name, both have.
const image = ['--import', fileURLToPath(new URL('../harness/image.ts', import.meta.url))]

let redis: RedisServer
let nodes: readonly [one: NodeProcess, other: NodeProcess, third: NodeProcess]

before(async () => {
  redis = await startRedis()
  const config = {
    redis: { url: redis.url, channel: 'shop', secret: 'a secret of two copies, 32 bytes', leaseTtl: 4_000 },
  }
  nodes = await Promise.all([startNode(config, image), startNode(config, image), startNode(config)])
})
after(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await redis.close()
})

test('a copy of a node is told of revocations, says that it is one, and is a node of its own from then on', async () => {
  const [one, other, third] = nodes
  const tenures = async () => (await redis.cli('KEYS', 'shop:tenure:*')).split('\n').length
  // Three processes that are two: the attack is there.
  await until(async () => (await tenures()) === 2, 'two tenures have begun')
  const ann = await other.open('ann.1', 'lobby')
  const bob = await other.open('bob.1', 'lobby')
  const eve = await third.open('eve.1', 'lobby')

  const { stored } = await one.call('revoke', { sessionId: 'ann.1' })
  assert.equal(stored, true)
  assert.equal(await ann.closed, 3000)
  const events = async () => (await Promise.all([one, other].map((node) => node.call('events')))).flat()
  const said = (await events()).filter(({ reason }) => /a copy of this process speaks/.test(reason ?? ''))
  assert.ok(said.length >= 1)

  // Within a third of `leaseTtl` the one that has not noticed finds that their tenure is over.
  const users = async (node: NodeProcess) =>
    (await node.call('allSockets').catch(() => [])).map(({ userId }) => userId).sort()
  for (const node of nodes)
    await until(async () => (await users(node)).join() === 'bob,eve', 'every node finds every socket')
  await until(async () => (await tenures()) === 3, 'each has a tenure of its own')
  const members = async (node: NodeProcess) => (await node.call('members', 'lobby')).map(({ userId }) => userId).sort()
  await until(async () => (await members(one)).join() === 'bob,eve', 'both are in the room')
  await one.call('send', ['lobby'], { type: 'said', text: 'from one' })
  await other.call('send', ['lobby'], { type: 'said', text: 'from the other' })
  const texts = (client: typeof bob) => client.heard.flatMap(({ type, text }) => (type === 'said' ? [text] : [])).sort()
  for (const client of [bob, eve])
    await until(() => texts(client).join() === 'from one,from the other', 'each word is heard once')
})
