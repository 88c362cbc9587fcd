import assert from 'node:assert/strict'
import { Session } from 'node:inspector'
import { relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import secureWs from '../../src/index.ts'
import { handshakeText, rawConnect } from '../harness/raw-client.ts'
import { until } from '../harness/until.ts'
import { root, textOf } from './source-files.ts'

// A handshake is the dearest thing that a stranger can have this server do, and the longest way through the house. Whoever
// follows it opens six files; each of them calls parts, which can be read alone. Both lists are what V8 has seen run between
// `upgrade` and the handler: a file that joins them is a cost for each handshake, and one more for each reader.

/** In the order of the way: each hands the handshake on to the next. */
const spine = [
  'src/ws/upgrade.ts',
  'src/ws/upgraded-streams.ts',
  'src/admission/hook.ts',
  'src/admission/admission.ts',
  'src/ws/socket.ts',
  'src/connection/connection.ts',
]

const parts: readonly string[] = [
  'src/admission/early-refusal.ts',
  'src/admission/fetch-metadata.ts',
  'src/admission/handshake-request.ts',
  'src/admission/host.ts',
  'src/admission/origin.ts',
  'src/admission/reached.ts',
  'src/admission/transport.ts',
  'src/admission/way.ts',
  'src/admission/web-origin.ts',
  'src/authentication/authentication.ts',
  'src/capacity/capacity.ts',
  'src/capacity/half-sip-hash.ts',
  'src/capacity/handshake-rate.ts',
  'src/capacity/places.ts',
  'src/connection/drain.ts',
  'src/connection/held-socket.ts',
  'src/connection/memory.ts',
  'src/connection/receiving.ts',
  'src/connection/scope.ts',
  'src/connection/sending.ts',
  'src/connection/sweep.ts',
  'src/decorator.ts',
  'src/http/address.ts',
  'src/http/authority.ts',
  'src/http/header-lines.ts',
  'src/options/route.ts',
  'src/plugin.ts',
  'src/revocation/identities.ts',
  'src/routes.ts',
  'src/row.ts',
  'src/telemetry/audit.ts',
  'src/thenable.ts',
  'src/ws/clients.ts',
  'src/ws/coalescer.ts',
  'src/ws/guarded-paths.ts',
  'src/ws/guarded-receiver.ts',
  'src/ws/guarded-sender.ts',
  'src/ws/handler.ts',
  'src/ws/internals.ts',
  'src/ws/other-protocols.ts',
  'src/ws/response.ts',
  'src/ws/upgraded-stream.ts',
  'src/ws/ws-port.ts',
]

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly functionName: string
      readonly ranges: readonly { readonly count: number }[]
    }[]
  }[]
}

test('between `upgrade` and the handler of the simplest route, these files run and no others', async (t) => {
  const session = new Session()
  session.connect()
  t.after(() => session.disconnect())
  // Answered within the call: the session is of this very thread.
  const ask = (method: string, params: object = {}) => {
    let answer: unknown
    session.post(method, params, (error, result) => {
      assert.equal(error, null)
      answer = result
    })
    return answer
  }
  const entered = () =>
    (ask('Profiler.takePreciseCoverage') as Coverage).result
      .filter(({ functions }) => functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0))
      .filter(({ url }) => url.startsWith('file:'))
      .map(({ url }) => relative(root, fileURLToPath(url)))
      .filter((path) => path.startsWith('src/'))

  const app = Fastify()
  await app.register(secureWs, { authenticate: false })
  let files: readonly string[] = []
  app.get('/ws', { websocket: true }, () => {
    files = entered()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(() => app.close())
  const { port } = app.server.address() as { readonly port: number }
  const open = async () => {
    const client = await rawConnect({ port })
    t.after(() => client.close())
    const host = `localhost:${port}`
    client.write(handshakeText({ target: '/ws', headers: { Host: host, Origin: `http://${host}` } }))
    assert.equal((await client.answer()).status, 101)
    return client
  }
  ask('Profiler.enable')
  ask('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  // What the first one makes for all of them is not on the way of the second.
  const first = await open()
  first.reset()
  await until(() => app.secureWs.stats().connections === 0, 'the first one is over, and no timer visits it')
  entered()
  await open()

  // Node asks what a server understands since 24.9.
  const asked = 'shouldUpgradeCallback' in app.server
  const expected = [...spine, ...parts].filter((path) => asked || path !== 'src/ws/other-protocols.ts')
  assert.deepEqual(files.toSorted(), expected.toSorted())
})

test('whoever follows a handshake opens at most six files, and the page that explains it names them in order', () => {
  assert.ok(spine.length <= 6)
  const page = textOf('docs/architecture.md')
  const section = page.slice(page.indexOf('## A handshake'), page.indexOf('## A message in'))
  const places = spine.map((path) => section.indexOf(`\`${path}\``))
  assert.ok(places.every((place) => place !== -1))
  assert.deepEqual(
    places.toSorted((a, b) => a - b),
    places,
  )
})
