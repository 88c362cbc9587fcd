/**
 * How long `members()` of a room takes while one user, whom it does not concern, toggles other rooms as fast as the limits
 * allow: ten sockets, 19 comings and goings with each message, all limits at their defaults. Two nodes and one Redis, which
 * is some milliseconds away (there and back). Run with `node bench/members.ts`.
 *
 *     node bench/members.ts [questions] [ms]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { startNode } from '../test/harness/node-process.ts'
import { startRedis } from '../test/harness/redis.ts'
import { startTcpProxy } from '../test/harness/tcp-proxy.ts'
import { until } from '../test/harness/until.ts'

const questions = Number(process.argv[2] ?? 200)
const away = Number(process.argv[3] ?? 5)
const goal = 100
const togglers = 10

const redis = await startRedis()
const wire = await startTcpProxy(redis.port)
// Half of it each way, in whole milliseconds, which is what a timer knows.
wire.delay(Math.ceil(away / 2))
const url = `redis://127.0.0.1:${wire.port}`
const far = await createClient({ url }).connect()
const config = { redis: { url, channel: 'bench', secret: 'a secret of the bench, of 32 bytes' } }
const [near, other] = await Promise.all([startNode(config), startNode(config)])
await Promise.all([near.open('ann.1', 'hall'), other.open('bob.1', 'hall')])
const tom = await Promise.all(Array.from({ length: togglers }, () => near.open('tom.1')))
await until(async () => (await near.call('members', 'hall')).length === 2, 'both are in the hall')

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}

async function asked(): Promise<{ pings: number[]; here: number[]; there: number[] }> {
  const took = { pings: [] as number[], here: [] as number[], there: [] as number[] }
  const ask = async (node: typeof near) => {
    if ((await node.call('members', 'hall')).length !== 2) throw new Error('somebody is missing')
  }
  for (let number = 0; number < questions; number++) {
    took.pings.push(await timeOf(() => far.ping()))
    took.here.push(await timeOf(() => ask(near)))
    took.there.push(await timeOf(() => ask(other)))
    await sleep(5)
  }
  return took
}

let worst = 0
function report(title: string, times: readonly number[]): void {
  const sorted = times.toSorted((one, another) => one - another)
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
  const shown = [0.5, 0.99, 1].map((q) => `${q === 1 ? 'max' : `p${q * 100}`} ${quantile(q).toFixed(1)} ms`)
  console.log(`${title}: ${shown.join(', ')}`)
  worst = Math.max(worst, quantile(0.99))
}

const quiet = await asked()
report('nobody toggles: a PING', quiet.pings)
report('nobody toggles: members() on the same node', quiet.here)
worst = 0
// The burst of 100 that each socket has, and then as many as it may: 20 a second.
for (const { send } of tom) for (let burst = 0; burst < 100; burst++) send({ type: 'toggle' })
const toggling = setInterval(() => {
  for (const { send } of tom) send({ type: 'toggle' })
}, 50)
const [began, from] = [await near.call('toggled'), performance.now()]
const busy = await asked()
const perSecond = ((await near.call('toggled')) - began) / ((performance.now() - from) / 1_000)
clearInterval(toggling)
console.log(`one user toggles: ${Math.round(perSecond)} messages a second, 19 rooms each`)
report('a PING', busy.pings)
report('members() on the node of the toggling sockets', busy.here)
report('members() on the other node', busy.there)
console.log(`goal: p99 below ${goal} ms`)
if (worst >= goal) process.exitCode = 1

far.destroy()
await Promise.all([near.kill(), other.kill()])
await wire.close()
await redis.close()
