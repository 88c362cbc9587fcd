/**
 * Runs `npm run demo:observed` on two nodes with a real Redis, and writes what an operator sees of it into docs/operating.md:
 * `npm run docs:observed`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { roomTopic } from '../../src/relay/bus.ts'
import { requireBuild } from '../harness/built.ts'
import { freePort } from '../harness/free-port.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { environmentOf } from '../harness/run-node.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { root, textOf } from '../house/source-files.ts'

/** A span in OTLP JSON; the rest of it goes into the page as it is. */
export interface WrittenSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: readonly { readonly key: string; readonly value: object }[]
  readonly events: readonly { readonly name: string }[]
}

export interface ObservedRun {
  /** What Prometheus reads of the near node. */
  readonly prometheus: string
  readonly near: readonly WrittenSpan[]
  readonly far: readonly WrittenSpan[]
  /** Everything that both nodes have written for an operator. */
  readonly sinks: string
  /** What was said, and the cookies of those who did. */
  readonly secrets: readonly string[]
  /** The exit codes of both, after Ctrl+C. */
  readonly codes: readonly (number | null)[]
}

/** The trace of a page that opens the socket. */
export const incoming = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const said = 'hello from the other side'

interface Node {
  readonly url: string
  readonly metrics: string
  readonly traces: () => string
  readonly process: ChildProcess
}

export async function runObservedDemo(): Promise<ObservedRun> {
  requireBuild()
  const folder = mkdtempSync(join(tmpdir(), 'secure-ws-observed-'))
  const redis = await startRedis()
  const nodes: Node[] = []
  try {
    for (const name of ['near', 'far']) nodes.push(await start(join(folder, `${name}.jsonl`), redis))
    const [near, far] = nodes
    if (near === undefined || far === undefined) throw new Error('two nodes')
    const ada = await signIn(near, 'Ada')
    const grace = await signIn(far, 'Grace')
    const { url } = near
    const socket = (node: Node) => `${node.url.replace('http', 'ws')}/chat`
    const traceparent = `00-${incoming.traceId}-${incoming.spanId}-01`
    const client = await openSocket(`${socket(near)}?invitation=QUERYSECRET`, {
      headers: { origin: url, cookie: ada, traceparent },
    })
    await client.hear('joined')
    const other = await openSocket(socket(far), { headers: { origin: far.url, cookie: grace } })
    await until(() => client.heard.filter(({ type }) => type === 'present').length === 2, 'Ada heard of Grace')
    const lobby = `demo:${roomTopic('lobby')}`
    await until(async () => (await redis.cli('PUBSUB', 'NUMSUB', lobby)).endsWith('\n2'), 'both nodes are in the lobby')
    await statusOf(socket(near), { headers: { origin: 'https://evil.example', cookie: ada } })
    client.send({ type: 'say', id: 1, text: said })
    await Promise.all([other.hear('said'), client.hear('reply')])
    const prometheus = await (await fetch(near.metrics)).text()
    const ends = nodes.map(async (node) => {
      node.process.kill('SIGINT')
      const [code]: (number | null)[] = await once(node.process, 'exit')
      return code ?? null
    })
    await Promise.all([client.closed, other.closed])
    const codes = await Promise.all(ends)
    return {
      prometheus,
      near: spansIn(near.traces()),
      far: spansIn(far.traces()),
      sinks: [prometheus, near.traces(), far.traces()].join('\n'),
      secrets: [said, 'QUERYSECRET', ...[ada, grace].map((cookie) => cookie.slice(cookie.indexOf('=') + 1))],
      codes,
    }
  } finally {
    for (const node of nodes) node.process.kill('SIGKILL')
    await redis.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function start(file: string, redis: RedisServer): Promise<Node> {
  const port = await freePort()
  const child = spawn(process.execPath, [join(root, 'demo/observed.ts'), '--plain'], {
    env: environmentOf({
      PORT: '0',
      METRICS_PORT: String(port),
      TRACES_FILE: file,
      REDIS_URL: redis.url,
      BUS_SECRET: 'of the demo on two nodes, 32 bytes',
    }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const written: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      written.push(line)
      if (!line.includes(file)) return
      resolve(/http:\/\/localhost:\d+/.exec(written.join('\n'))?.[0] ?? '')
    })
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${written.join('\n')}`)))
  })
  return { url, metrics: `http://127.0.0.1:${port}/metrics`, traces: () => readFileSync(file, 'utf8'), process: child }
}

async function signIn({ url }: Node, name: string): Promise<string> {
  const answer = await fetch(`${url}/sign-in`, {
    method: 'POST',
    headers: { origin: url },
    body: new URLSearchParams({ name }),
    redirect: 'manual',
  })
  const [cookie] = answer.headers.getSetCookie()
  if (cookie === undefined) throw new Error(`nobody signed in: ${answer.status}`)
  return cookie.split(';')[0] ?? ''
}

interface Line {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly WrittenSpan[] }[] }[]
}

function spansIn(text: string): WrittenSpan[] {
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Line => JSON.parse(line))
  return lines.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  )
}

export function spanOf(spans: readonly WrittenSpan[], name: string): WrittenSpan {
  const found = spans.find((span) => span.name === name)
  if (found === undefined) throw new Error(`no span '${name}' among ${spans.map((span) => span.name).join(', ')}`)
  return found
}

/** The span of a delivery on the other node: of the many, that of this message. */
export function deliveryOf({ near, far }: ObservedRun): WrittenSpan | undefined {
  const { traceId } = spanOf(near, 'receive say')
  return far.find((span) => span.name === 'deliver' && span.traceId === traceId)
}

const shown = ['handshakes_total', 'messages_total', 'active_connections', 'relay_lag']

/** The blocks of the page, by name. */
export function blocksOf(run: ObservedRun): ReadonlyMap<string, string> {
  const lines = run.prometheus.split('\n')
  const prometheus = lines.filter((line) => shown.some((name) => line.includes(`secure_ws_server_${name}`)))
  const handshake = spanOf(run.near, 'handshake /chat')
  const message = spanOf(run.near, 'receive say')
  const delivery = deliveryOf(run)
  if (delivery === undefined) throw new Error('the other node has no span of the message')
  const rows = [
    ['node', 'span', 'trace', 'id', 'points to', 'took'],
    ['near', handshake.name, handshake.traceId, handshake.spanId, `parent ${handshake.parentSpanId}`, took(handshake)],
    ['near', message.name, message.traceId, message.spanId, `link   ${message.links[0]?.spanId}`, took(message)],
    ['far', delivery.name, delivery.traceId, delivery.spanId, `parent ${delivery.parentSpanId}`, took(delivery)],
  ]
  return new Map([
    ['prometheus', prometheus.join('\n')],
    ['otlp', byMember(message)],
    ['trace', inColumns(rows)],
  ])
}

/** JSON with a line for each member. */
function byMember(value: object): string {
  const members = Object.entries(value).map(([key, member]) => `  ${JSON.stringify(key)}: ${JSON.stringify(member)}`)
  return `{\n${members.join(',\n')}\n}`
}

function took({ startTimeUnixNano, endTimeUnixNano }: WrittenSpan): string {
  return `${((Number(endTimeUnixNano) - Number(startTimeUnixNano)) / 1_000_000).toFixed(1)} ms`
}

function inColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}

/** What stays the same from run to run: every name, label and member, and no time and no id. Series come as they were first seen. */
export function shapeOf(block: string): string {
  const lines = block.split('\n')
  return (block.startsWith('# HELP') ? lines.sort() : lines)
    .join('\n')
    .replace(/\b[0-9a-f]{32}\b/g, '<trace>')
    .replace(/\b[0-9a-f]{16}\b/g, '<span>')
    .replace(/"\d{19}"/g, '"<time>"')
    .replace(/^(\w*_(?:bucket|sum)\{.*\}) .*$/gm, '$1 <n>')
    .replace(/\d+\.\d ms/g, '<n> ms')
    .replace(/ {2,}/g, '  ')
}

export const observedPage = 'docs/operating.md'
const marked = /^<!-- observed: (\w+) -->\n```(\w+)\n([\s\S]*?)^```$/gm

/** The blocks that the page shows, by name. */
export function shownOn(page: string): ReadonlyMap<string, string> {
  return new Map([...page.matchAll(marked)].map(([, name = '', , block = '']) => [name, block.trimEnd()]))
}

if (import.meta.main) {
  const blocks = blocksOf(await runObservedDemo())
  const page = textOf(observedPage).replace(marked, (_block, name: string, language: string) => {
    return `<!-- observed: ${name} -->\n\`\`\`${language}\n${blocks.get(name)}\n\`\`\``
  })
  writeFileSync(join(root, observedPage), page)
}
