/**
 * Handshakes per second of the server's CPU time, accepted and refused for their Origin, and what each allocates:
 * `node bench/handshake.ts [accepted|refused]`. Compared with plain @fastify/websocket and with the same guards written by
 * hand; refusals also where `earlyRefusal` is off, and the hook makes them. Both sides cost a third of their first handshakes
 * after six seconds of CPU time, ours later than theirs: for a figure that counts, `--warm-up 10`.
 */
import { parseArgs } from 'node:util'
import { answerTo, type Handshake, open } from './harness/client.ts'
import { cookie, signedCookie } from './harness/credentials.ts'
import { compare, inTurns, perCpuSecond, type Server, start } from './harness/measure.ts'

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'warm-up': { type: 'string', default: '3' },
    rounds: { type: 'string', default: '7' },
    milliseconds: { type: 'string', default: '500' },
    counted: { type: 'string', default: '10000' },
  },
})
const rounds = Number(given.rounds)
const milliseconds = Number(given.milliseconds)
/** Seconds of the server's CPU time: on a busy machine, so many by the clock are few handshakes. */
const warmUp = Number(given['warm-up'])
/** Handshakes whose garbage is counted: enough for several scavenges. */
const counted = Number(given.counted)
const atOnce = 16

const foreign: Handshake = { origin: 'https://evil.example' }

/** Requests that have to get the same answer wherever the guards are on: what is compared is the same work. */
const verdicts: readonly (readonly [what: string, handshake: Handshake, status: number])[] = [
  ['a listed origin, a known session', {}, 101],
  ['a foreign origin', foreign, 403],
  ['the listed origin as a prefix', { origin: 'https://app.example.evil.example' }, 403],
  ['the listed origin with http', { origin: 'http://app.example' }, 403],
  ['the origin null', { origin: 'null' }, 403],
  ['no origin', { origin: undefined }, 403],
  ['a foreign origin without a session', { ...foreign, cookie: undefined }, 403],
  ['no cookie', { cookie: undefined }, 401],
  ['another cookie', { cookie: 'theme=dark' }, 401],
  ['an id without a signature', { cookie: cookie.slice(0, cookie.lastIndexOf('.')) }, 401],
  ['a signature of another id', { cookie: cookie.replace('bench', 'other') }, 401],
  ['a signed id that nobody knows', { cookie: signedCookie('nobody') }, 401],
  ['the session behind another cookie', { cookie: `theme=dark; ${cookie}` }, 101],
  ['a path without a route', { path: '/elsewhere' }, 404],
]

/** So many clients, one handshake after the other, until it is enough. */
async function repeat(handshake: () => Promise<void>, isEnough: (done: number) => boolean): Promise<number> {
  let done = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (!isEnough(done)) {
        await handshake()
        done++
      }
    }),
  )
  return done
}

function forAWhile(): () => boolean {
  const end = performance.now() + milliseconds
  return () => performance.now() >= end
}

async function warm(server: Server, handshake: () => Promise<void>): Promise<void> {
  const end = server.cpu() + warmUp * 1e9
  // Asked seldom: the answer is read from a file.
  while (server.cpu() < end) await repeat(handshake, (done) => done >= 500)
}

async function accepted({ name, port }: Server): Promise<void> {
  const { stream } = await open(name, port)
  stream.destroy()
}

async function refused({ name, port }: Server): Promise<void> {
  const status = await answerTo(name, port, foreign)
  if (status !== 403) throw new Error(`${name} answered ${status}`)
}

async function measure(title: string, servers: readonly Server[], handshake: (server: Server) => Promise<void>) {
  for (const server of servers) await warm(server, () => handshake(server))
  const results = await inTurns(servers, rounds, (server) =>
    perCpuSecond(server, () => repeat(() => handshake(server), forAWhile())),
  )
  for (const { name } of servers.filter(({ name }) => name.startsWith('ours'))) {
    compare(title, new Map([...results].filter(([other]) => other === name || !other.startsWith('ours'))), '/s', name)
  }
  for (const server of servers) {
    const { allocated, promoted, longest, done } = await server.garbageOf(() =>
      repeat(
        () => handshake(server),
        (soFar) => soFar >= counted,
      ),
    )
    const each = [allocated, promoted].map((bytes) => (bytes / done / 1_000).toFixed(1))
    console.log(
      `${title.padEnd(30)} ${server.name.padEnd(20)} ${each[0]} kB allocated, ${each[1]} kB promoted, longest scavenge ${longest.toFixed(1)} ms`,
    )
  }
}

const ours = await start('ours, alone')
const byTheHook = await start('ours, by the hook')
const byHand = await start('by hand')
for (const server of [ours, byTheHook, byHand]) {
  for (const [what, handshake, expected] of verdicts) {
    const status = await answerTo(server.name, server.port, handshake)
    if (status !== expected) throw new Error(`${server.name} answers ${status} to ${what}, and not ${expected}`)
  }
}
console.log(`the same verdicts, ours and by hand, on ${verdicts.length} requests`)
const plain = await start('@fastify/websocket')
if (positionals[0] !== 'refused') await measure('handshake, accepted', [ours, byHand, plain], accepted)
if (positionals[0] !== 'accepted') await measure('handshake, refused', [ours, byTheHook, byHand], refused)
for (const server of [ours, byTheHook, byHand, plain]) server.stop()
process.exit()
