import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../harness/redis.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { textOf } from '../house/source-files.ts'
import { startExample } from './example.ts'

/** The names of series that docs/operating.md asks Prometheus for. */
const asked = () => new Set(textOf('docs/operating.md').match(/\bsecure_ws_\w+/g))

/** The series of a scrape, without comments, and without the labels that say which SDK wrote them. */
const seriesOf = (text: string) =>
  new Map(
    text
      .split('\n')
      .filter((line) => line.startsWith('secure_ws_'))
      .map((line) => {
        const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{([^}]*)\})? (\S+)/.exec(line) ?? []
        const own = labels.split(',').filter((label) => !label.startsWith('otel_scope'))
        return [`${name}{${own.join()}}`, Number(value)]
      }),
  )

test('metrics.ts: Prometheus reads what happened', async (t) => {
  const port = await freePort()
  const example = await startExample(t, 'metrics.ts', { METRICS_PORT: String(port) })
  const scrape = async () => seriesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
  const url = `${example.url.replace('http', 'ws')}/clock`
  const headers = { origin: example.url }
  const client = await openSocket(url, { headers })
  for (let count = 0; count < 3; count++) {
    assert.equal(await statusOf(url, { headers: { origin: `https://evil${count}.example` } }), 403)
  }
  const open = await scrape()
  assert.equal(open.get('secure_ws_server_active_connections{}'), 1)
  assert.equal(open.get('secure_ws_server_events_total{type="handshake.accepted",route="/clock"}'), 1)
  // Three origins of an attacker are one series.
  assert.equal(
    open.get('secure_ws_server_events_total{type="handshake.refused",code="SWS_ORIGIN_REFUSED",route="/clock"}'),
    3,
  )
  assert.equal(open.get('secure_ws_server_handshake_duration_count{route="/clock"}'), 1)

  client.socket.close(4_321)
  await until(async () => (await scrape()).get('secure_ws_server_active_connections{}') === 0, 'the socket has gone')
  const closed = await scrape()
  assert.equal(closed.get('secure_ws_server_events_total{type="socket.closed",code="other",route="/clock"}'), 1)
  assert.equal(closed.get('secure_ws_server_connection_duration_count{code="other",route="/clock"}'), 1)

  const there = new Set([...closed.keys()].map((name) => name.split('{')[0]))
  const missing = [...asked()].filter((name) => !there.has(name))
  assert.deepEqual(missing, [])
  assert.ok(asked().size > 3)
})
