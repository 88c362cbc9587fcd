import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { Session } from 'node:inspector'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// Every message of every socket goes this way, and with cold caches each file more is felt. Whoever adds one to a list here says in
// the commit what it buys.

const ofFrame = [
  'connection/connection.ts',
  'connection/dispatch.ts',
  'connection/held-socket.ts',
  'connection/receiving.ts',
  'connection/scope.ts',
  'inbound/allowance.ts',
  'inbound/inbound.ts',
  'inbound/parse.ts',
  'inbound/rate.ts',
  'inbound/schema.ts',
  'json-text.ts',
  'plugin.ts',
  'schema/holds.ts',
  'schema/kind.ts',
  'schema/schema.ts',
  'schema/straight.ts',
  'schema/work.ts',
  'telemetry/channels.ts',
  'thenable.ts',
  'ws/coalescer.ts',
  'ws/guarded-receiver.ts',
  'ws/socket.ts',
  'ws/whole-frames.ts',
  'ws/ws-port.ts',
]

const ofSend = [
  'connection/connection.ts',
  'connection/held-socket.ts',
  'connection/sending.ts',
  'outbound/declared.ts',
  'outbound/encoded.ts',
  'outbound/json.ts',
  'outbound/long-text.ts',
  'outbound/outbound.ts',
  'outbound/projection.ts',
  'outbound/schema.ts',
  'outbound/serialized.ts',
  'outbound/shared-frame.ts',
  'schema/holds.ts',
  'schema/kind.ts',
  'schema/location.ts',
  'schema/plain-schema.ts',
  'schema/schema.ts',
  'schema/straight.ts',
  'schema/work.ts',
  'telemetry/channels.ts',
  'thenable.ts',
  'ws/coalescer.ts',
  'ws/internals.ts',
  'ws/socket.ts',
  'ws/ws-port.ts',
]

const notIn = (files: readonly string[]) => (file: string) => !files.includes(file)

const source = new URL('../../src/', import.meta.url).href

/** The first file of each numbered step under a heading of docs/architecture.md: those that a reader opens. */
async function stepsUnder(heading: string): Promise<readonly string[]> {
  const page = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\d+\. `src\/([^`]+)`/gm)].map(([, file]) => file ?? '')
}

/** The files of which a function has run since this was asked last. */
function entered(session: Session): ReadonlySet<string> {
  const files = new Set<string>()
  session.post('Profiler.takePreciseCoverage', (error, coverage) => {
    assert.ifError(error)
    for (const { url, functions } of coverage.result) {
      const hasRun = functions.some(({ ranges: [all], functionName }) => functionName !== '' && (all?.count ?? 0) > 0)
      if (url.startsWith(source) && hasRun) files.add(url.slice(source.length))
    }
  })
  return files
}

/** In each of the runs: what a timer did in one of them is not of the way. */
function inAll(runs: readonly ReadonlySet<string>[]): readonly string[] {
  const [first, ...others] = runs
  return [...(first ?? [])].filter((file) => others.every((other) => other.has(file))).sort()
}

test('the way of a frame to its listener, and of a send to the stream, leads through these files and no other', async (t) => {
  const session = new Session()
  session.connect()
  t.after(() => session.disconnect())
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  const schema = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
  const frames: ReadonlySet<string>[] = []
  const sends: ReadonlySet<string>[] = []
  const server = await startServer(t, {}, (app) => {
    const declared = { receives: { say: { schema } }, sends: { said: { schema } } }
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => {
      socket.on('say', async ({ text }) => {
        frames.push(entered(session))
        await turn()
        entered(session)
        socket.send({ type: 'said', text })
        await turn()
        sends.push(entered(session))
      })
    })
  })
  const peer = await server.connect()
  for (let count = 1; count <= 5; count++) {
    await turn()
    entered(session)
    peer.write(json({ type: 'say', text: 'hello' }))
    await until(() => sends.length === count, 'it was answered')
  }
  const onTheWay = inAll(frames.slice(1))
  const onTheWayOut = inAll(sends.slice(1))
  assert.deepEqual([onTheWay.filter(notIn(ofFrame)), onTheWayOut.filter(notIn(ofSend))], [[], []])
  // Whoever wants to know the way opens these, and they are the way.
  const [steps, stepsOut] = await Promise.all([stepsUnder('A message in'), stepsUnder('A message out')])
  assert.deepEqual([steps.length, stepsOut.length], [5, 6])
  assert.deepEqual([steps.filter(notIn(onTheWay)), stepsOut.filter(notIn(onTheWayOut))], [[], []])
})
