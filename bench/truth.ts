/**
 * Three nodes, one Redis, and everything at once: sign-in, refresh, rooms, kicks, rights, revocations, while Redis is killed,
 * emptied, evicted, slow or parted, the application's store hangs, and its sessions are changed in place. The history is then
 * held against what docs/scaling.md promises. `node bench/truth.ts 600` runs for 600 seconds, with 30 seconds by default;
 * `--history FILE` keeps the history. It ends with 1 when it finds something.
 */
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startRedis } from '../test/harness/redis.ts'
import { startTcpProxy } from '../test/harness/tcp-proxy.ts'
import { check, latencies } from './truth/check.ts'
import { about, type Client, openClient, RoomWatch, type SignedIn, tokenOf } from './truth/clients.ts'
import { type FaultName, faults } from './truth/faults.ts'
import {
  clock,
  type History,
  type RefusalRecord,
  type RevocationRecord,
  type SocketRecord,
  type Span,
} from './truth/history.ts'
import { startTruthNode } from './truth/nodes.ts'

const { values, positionals } = parseArgs({ options: { history: { type: 'string' } }, allowPositionals: true })
const seconds = Number(positionals[0] ?? 30)
const clockSkew = 1_000
const mostSockets = 40
const users = Array.from({ length: 25 }, (_, number) => `u${number}`)
const rooms = Array.from({ length: 6 }, (_, number) => `room ${number}`)

const sockets: SocketRecord[] = []
const refusals: RefusalRecord[] = []
const revocations: RevocationRecord[] = []
const destroyed = new Map<string, number>()
const clientStalls: Span[] = []
const faultSpans: Span[] = []
const clients = new Set<Client>()
/** Signed in at some time, and not forgotten: somebody whose session is over comes back with it. */
const known: SignedIn[] = []
const counts: Record<string, number> = {}
const count = (what: string) => {
  counts[what] = (counts[what] ?? 0) + 1
}
const any = <T>(list: readonly T[]): T => {
  const found = list[Math.floor(Math.random() * list.length)]
  if (found === undefined) throw new RangeError('nothing to choose from')
  return found
}
const anyClient = (): Client | undefined => (clients.size === 0 ? undefined : any([...clients]))

const redis = await startRedis()
const wire = await startTcpProxy(redis.port)
const recordOf = new Map<number, SocketRecord>()
const noteHandled = (number: number, last: number) => {
  const record = recordOf.get(number)
  if (record !== undefined) record.lastHandled = Math.max(record.lastHandled, last)
}
const nodes = await Promise.all(
  [redis.url, redis.url, `redis://127.0.0.1:${wire.port}`].map((url) =>
    startTruthNode({ redis: url, clockSkew }, noteHandled),
  ),
)
// Asked again after three unanswered questions of half a second at most, and some time in between.
const watch = new RoomWatch(5_000)
let partedSince = clock()
let running = true
let signedIn = 0
let opened = 0

let turn = clock()
const stallTimer = setInterval(() => {
  const now = clock()
  if (now - turn > 60) clientStalls.push({ from: turn, to: now })
  turn = now
}, 20)

async function signIn(): Promise<void> {
  const back = Math.random() < 0.5 && known.length > 0
  const byToken = Math.random() < 0.5
  const now = Date.now()
  const session: SignedIn = back
    ? any(known)
    : {
        session: `s${signedIn++}`,
        user: any(users),
        authenticatedAt: byToken ? Math.floor(now / 1_000) * 1_000 : now,
        byToken,
      }
  if (!back) known.push(session)
  if (known.length > 120) known.splice(0, 40)
  if ([...clients].filter((client) => client.signedIn === session).length > 3) return
  const node = Math.floor(Math.random() * nodes.length)
  const number = opened++
  const client = await openClient(session, {
    node,
    port: nodes[node]?.port ?? 0,
    number,
    onSaid: (heardBy, room, made) => watch.heard(heardBy, room, made, partedSince),
  })
  if ('status' in client) {
    count(`handshakes answered with ${client.status}`)
    refusals.push(client)
    return
  }
  count(back ? 'came back' : 'signed in')
  sockets.push(client.record)
  recordOf.set(number, client.record)
  clients.add(client)
  for (const room of [any(rooms), any(rooms)]) void join(client, room)
}

async function join(client: Client, room: string): Promise<void> {
  watch.joined(client, room, Number.POSITIVE_INFINITY)
  const joined = await client.ask({ type: 'join', room })
  watch.joined(client, room, clock())
  count(joined === true ? 'joined' : 'not joined')
}

async function refresh(client: Client): Promise<void> {
  if (!client.signedIn.byToken || client.record.expiresAt === undefined) return
  const { token, expiresAt } = await tokenOf(client.signedIn, 6_000 + Math.random() * 8_000)
  if ((await client.ask({ type: 'refresh', token })) === undefined) return
  // The last one counts, also where it ends sooner; answers come in order.
  client.record.expiresAt = expiresAt
  count('refreshed')
}

async function revoke(): Promise<void> {
  const client = anyClient()
  if (client === undefined) return
  const kind = Math.random() < 0.75 ? 'session' : 'user'
  const name = client.signedIn[kind]
  const node = Math.floor(Math.random() * nodes.length)
  const subject = kind === 'session' ? { sessionId: name } : { userId: name }
  const revoked = await nodes[node]?.call('revoke', subject)
  if (revoked === undefined) return
  revocations.push({ kind, name, node, ...revoked })
  count(`revoked a ${kind}, ${revoked.stored ? 'stored' : 'not stored yet'}`)
}

async function takeRightsAway(): Promise<void> {
  const client = anyClient()
  if (client === undefined) return
  const { user } = client.signedIn
  const room = any(rooms)
  const grant = `${user} ${room}`
  if (watch.forbidden.has(grant)) return
  const calledAt = clock()
  await Promise.all(nodes.map((node) => node.call('forbid', grant)))
  await any(nodes).call('reauthorize', user)
  watch.forbidden.set(grant, { calledAt, since: clock() })
  count('rights taken away')
  await sleep(8_000)
  if (!running) return
  watch.forbidden.delete(grant)
  await Promise.all(nodes.map((node) => node.call('allow', grant)))
}

async function kick(): Promise<void> {
  const client = anyClient()
  if (client === undefined) return
  const room = any(rooms)
  const calledAt = clock()
  const { told } = await any(nodes).call('kick', client.signedIn.user, room)
  if (!told) return
  watch.kicked.set(`${client.signedIn.user} ${room}`, { calledAt, since: clock() })
  count('kicked')
}

async function destroy(): Promise<void> {
  const client = anyClient()
  if (client === undefined) return
  // The first time counts: another socket of it may still be open, and be chosen again.
  if (destroyed.has(client.signedIn.session)) return
  destroyed.set(client.signedIn.session, clock())
  await Promise.all(nodes.map((node) => node.call('end', client.signedIn.session)))
  count('sessions ended by the application')
}

/** Something that goes on for the whole run, about every so many ms. */
async function every(ms: number, step: () => unknown): Promise<void> {
  while (running) {
    await about(ms)
    if (running) await step()
  }
}

async function takeRedisAway(): Promise<void> {
  const name = any(Object.keys(faults) as FaultName[])
  const from = clock()
  partedSince = Number.POSITIVE_INFINITY
  // In the middle of it, and right before and after.
  const burst = Promise.all(Array.from({ length: 4 }, () => about(Math.random() * 60).then(revoke)))
  await faults[name](redis, wire)
  await burst
  await allReady()
  partedSince = clock()
  faultSpans.push({ from, to: partedSince })
  count(`Redis ${name}`)
  console.log(
    `${((clock() - startedAt) / 1_000).toFixed(1).padStart(6)} s  Redis ${name}, all nodes know everything again`,
  )
}

async function allReady(): Promise<void> {
  // A loss is not noticed at once.
  await sleep(200)
  while (!(await Promise.all(nodes.map((node) => node.call('ready')))).every(Boolean)) await sleep(50)
}

const startedAt = clock()
const work = [
  ...Array.from({ length: 4 }, () =>
    every(60, () => {
      for (const client of clients) if (!client.open) clients.delete(client)
      return clients.size < mostSockets ? signIn() : undefined
    }),
  ),
  ...Array.from({ length: 6 }, () => every(40, () => anyClient()?.send({ type: 'say', room: any(rooms) }))),
  every(60, async () => void (await anyClient()?.ask({ type: 'hello' }))),
  every(200, () => {
    const client = anyClient()
    return client && join(client, any(rooms))
  }),
  every(500, async () => void (await anyClient()?.ask({ type: 'leave', room: any(rooms) }))),
  every(80, () => {
    const client = anyClient()
    if (client) void refresh(client)
  }),
  every(200, revoke),
  every(200, revoke),
  every(1_000, () => void takeRightsAway()),
  every(700, kick),
  every(900, destroy),
  every(1_500, () => anyClient()?.close()),
  every(4_000, takeRedisAway),
]
await sleep(seconds * 1_000)
running = false
await Promise.all(work)
await allReady()
await sleep(4_000)

const reports = await Promise.all(nodes.map((node) => node.call('report')))
for (const { handled } of reports) for (const { number, last } of handled) noteHandled(number, last)
clearInterval(stallTimer)
const history: History = {
  sockets,
  refusals,
  revocations,
  destroyed,
  faults: faultSpans,
  away: reports.map(({ away }) => away),
  stalls: reports.map(({ stalls }) => stalls),
  clientStalls,
  unanswered: reports.map(({ unanswered }) => unanswered),
  clockSkew,
  endedAt: clock(),
}
for (const { closed } of sockets) count(closed === undefined ? 'sockets open at the end' : `closed with ${closed.code}`)
const violations = [...check(history), ...watch.violations]
await Promise.all(nodes.map((node) => node.kill()))
await wire.close()
await redis.close()
if (values.history !== undefined)
  await writeFile(values.history, JSON.stringify({ ...history, destroyed: [...destroyed], violations }, undefined, 1))

const lengths = (spans: readonly (readonly Span[])[]) => spans.flat().map(({ from, to }) => to - from)
const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0)
const quantile = (sorted: readonly number[], q: number) =>
  (sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN).toFixed(1)
for (const report of reports) {
  for (const [what, number] of Object.entries(report.counts))
    counts[`on nodes: ${what}`] = (counts[`on nodes: ${what}`] ?? 0) + number
}
for (const [what, number] of Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)))
  console.log(`${String(number).padStart(7)}  ${what}`)
const times = latencies(history)
const aways = lengths(history.away).sort((a, b) => a - b)
console.log(
  `closed on another node after revoke was called, ${times.length} times: p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, longest ${quantile(times, 1)} ms`,
)
console.log(
  `nodes parted from Redis ${aways.length} times: p50 ${quantile(aways, 0.5)} ms, longest ${quantile(aways, 1)} ms, ${(sum(aways) / 1_000).toFixed(1)} s in all`,
)
console.log(
  `processes not run by the machine for more than 60 ms: nodes ${lengths(history.stalls).length} times, clients ${clientStalls.length} times, longest ${Math.max(0, ...lengths([...history.stalls, clientStalls])).toFixed(0)} ms`,
)
for (const { what, late, socket, revocation } of violations.slice(0, 20))
  console.log(`VIOLATION: ${what}${late === undefined ? '' : `, ${late.toFixed(0)} ms late`}`, { socket, revocation })
console.log(`${violations.length} violations in ${seconds} s`)
process.exitCode = violations.length === 0 ? 0 : 1
