/**
 * What others notice while five sockets send hostile documents, eight a second each. `node bench/sanitize.ts` runs it as well.
 *
 *     node bench/sanitize-hostile.ts 60 [the src/index.ts of another checkout, to compare]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

const seconds = Number(process.argv[2] ?? 60)
const server = fork(new URL('harness/sanitizing-server.ts', import.meta.url), process.argv.slice(3))
const [port] = await once(server, 'message')

/** 95 unknown elements around 4,000: legal in depth, elements and size, and half a second to more than one of DOMPurify. */
const hostile = (n: number) => `${'<x-y>'.repeat(95)}${'<b></b>'.repeat(4_000)}${n}`
/** As dear as any that is cleaned. */
const dear = (n: number) => `<div>${'line of text<br>'.repeat(1_050)}${n}`

async function open(user: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { 'x-user': user } })
  await once(socket, 'open')
  const waiting = new Map<number, (type: string) => void>()
  const codes = new Map<string, number>()
  socket.on('message', (data) => {
    const { id, type, code } = JSON.parse(String(data))
    if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1)
    waiting.get(id)?.(type)
    waiting.delete(id)
  })
  let nextId = 1
  const ask = async (message: object): Promise<number> => {
    const id = nextId++
    const begun = performance.now()
    const type = await new Promise<string>((resolve) => {
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ ...message, id }))
    })
    return type === 'reply' ? performance.now() - begun : Number.POSITIVE_INFINITY
  }
  return { socket, ask, codes }
}

const percentile = (times: number[], part: number) =>
  [...times].sort((a, b) => a - b)[Math.ceil(times.length * part) - 1]?.toFixed(1) ?? 'none'

const bystander = await open('ada')
await bystander.ask({ type: 'post', html: '<b>warm</b><i>' })
const talker = await open('grace')
const attackers = await Promise.all([1, 2, 3, 4, 5].map((n) => open(`mallory ${n}`)))
const ended: number[] = []
for (const { socket } of attackers) socket.on('close', (code) => ended.push(code))
const [plain, short]: [number[], number[]] = [[], []]
const under: Promise<void>[] = []
const memory: number[] = []
server.on('message', (rss) => memory.push(Math.round(Number(rss) / 1_048_576)))
const sampleEvery = Math.min(5_000, (seconds * 1_000) / 12)
const sampling = setInterval(() => server.send('memory'), sampleEvery)
server.send('memory')
const end = performance.now() + seconds * 1_000
for (let n = 0; performance.now() < end; n++) {
  for (const { socket, ask } of attackers) {
    if (socket.readyState === WebSocket.OPEN)
      void ask({ type: 'post', html: (n % 2 === 0 ? hostile : dear)(Math.random()) })
  }
  // On a socket of its own: a message waits behind the ones before it.
  under.push(talker.ask({ type: 'say', text: 'hello' }).then((time) => void plain.push(time)))
  under.push(bystander.ask({ type: 'post', html: `<b>${n}</b><i>` }).then((time) => void short.push(time)))
  await sleep(125)
}
await Promise.race([Promise.all(under), sleep(30_000)])
clearInterval(sampling)
const unanswered = under.length - plain.length - short.length
const refused = attackers.flatMap(({ codes }) => [...codes]).map(([code, count]) => `${code} x ${count}`)
console.log(`plain message: p50 ${percentile(plain, 0.5)} ms, p99 ${percentile(plain, 0.99)} ms`)
console.log(
  `short HTML:    p50 ${percentile(short, 0.5)} ms, p99 ${percentile(short, 0.99)} ms, ${unanswered} unanswered`,
)
console.log(`attackers:     ${refused.join(', ') || 'nothing refused'}; closed with ${ended.join(', ') || 'nothing'}`)
console.log(`memory:        ${memory.join(' ')} MiB, a sample every ${(sampleEvery / 1_000).toFixed(1)} s`)
for (const { socket } of [bystander, talker, ...attackers]) socket.terminate()
server.kill()
