/**
 * How long after `revoke()` on one node a client of another node sees its socket closed: two processes, one Redis, one
 * machine. The clock starts before the call crosses to node A and stops when the client has the close frame of node B, so
 * two hops that are not ours are included. Run with `node bench/revocation.ts`.
 */
import { startNode } from '../test/harness/node-process.ts'
import { startRedis } from '../test/harness/redis.ts'

const rounds = Number(process.argv[2] ?? 200)
const goal = 50
const redis = await startRedis()
const node = { redis: { url: redis.url, channel: 'bench', secret: 'a secret of the bench, of 32 bytes' } }
const [a, b] = await Promise.all([startNode(node), startNode(node)])

async function round(number: number): Promise<number> {
  const client = await b.open(`user${number}.1`, 'lobby')
  const from = performance.now()
  const revoked = a.call('revoke', { sessionId: `user${number}.1` })
  const code = await client.closed
  const took = performance.now() - from
  if (code !== 3000) throw new Error(`closed with ${code}`)
  await revoked
  return took
}

// The first ones meet cold code and scripts Redis has not seen.
for (let number = 0; number < 20; number++) await round(number)
const times: number[] = []
for (let number = 0; number < rounds; number++) times.push(await round(1_000 + number))
times.sort((one, other) => one - other)
const quantile = (q: number) => times[Math.min(times.length - 1, Math.ceil(q * times.length) - 1)] ?? Number.NaN
const shown = [0.5, 0.9, 0.99, 1].map((q) => `p${q * 100} ${quantile(q).toFixed(1)} ms`)
console.log(`revoke on A, closed on B, ${rounds} rounds: ${shown.join(', ')} (goal: p99 <= ${goal} ms)`)
if (quantile(0.99) > goal) process.exitCode = 1

await Promise.all([a.kill(), b.kill()])
await redis.close()
