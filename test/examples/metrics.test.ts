import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parser } from '@prometheus-io/lezer-promql'
import { freePort } from '../harness/free-port.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { textOf } from '../house/source-files.ts'
import { everyMetric } from '../telemetry/every-metric.ts'
import { startExample } from './example.ts'

/** The names of series that docs/operating.md asks Prometheus for. */
const asked = () =>
  // But for what a run gave, where a comment names a whole histogram: test/examples/observed-demo.test.ts holds that.
  new Set(
    textOf('docs/operating.md')
      .replace(/^<!-- observed: prometheus -->[\s\S]*?^```$/m, '')
      .match(/\bsecure_ws_\w+/g),
  )

const dashboardFile = 'docs/grafana/fastify-secure-ws.json'

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] }
}

const dashboard: Dashboard = JSON.parse(textOf(dashboardFile))
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** The event types that a query of the dashboard selects by, as patterns. */
const typesIn = (query: string): RegExp[] =>
  [...query.matchAll(/\btype=(~?)"([^"]*)"/g)].flatMap(([, isPattern, value = '']) =>
    (isPattern === '~' ? value.split('|') : [value.replaceAll('.', '[.]')]).map((each) => new RegExp(`^(?:${each})$`)),
  )

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
  assert.equal(open.get('secure_ws_server_handshake_duration_count{outcome="admitted",route="/clock"}'), 1)
  // One at once, and one for each second since.
  assert.ok(Number(open.get('secure_ws_server_messages_total{direction="out",type="other",route="/clock"}')) >= 1)
  assert.equal(
    open.get('secure_ws_server_handshakes_total{outcome="refused",code="SWS_ORIGIN_REFUSED",route="/clock"}'),
    3,
  )

  client.socket.close(4_321)
  await until(async () => (await scrape()).get('secure_ws_server_active_connections{}') === 0, 'the socket has gone')
  const closed = await scrape()
  assert.equal(closed.get('secure_ws_server_events_total{type="socket.closed",code="other",route="/clock"}'), 1)
  assert.equal(closed.get('secure_ws_server_connection_duration_count{code="other",route="/clock"}'), 1)
})

test('each query of the page and of the dashboard names what Prometheus gets, and each metric is on the dashboard', async () => {
  const { prometheus } = await everyMetric()
  const all = seriesOf(prometheus)
  const there = new Set([...all.keys()].map((name) => name.split('{')[0]))
  assert.deepEqual(
    [...asked()].filter((name) => !there.has(name)),
    [],
  )
  assert.ok(asked().size > 3)
  const shown = new Set(queries.flatMap((query) => query.match(/\bsecure_ws_\w+/g) ?? []))
  assert.deepEqual(
    [...shown].filter((name) => !there.has(name)),
    [],
  )
  const familyOf = (name = '') => name.replace(/_(?:bucket|sum|count)$/, '')
  const families = new Set([...shown].map(familyOf))
  assert.deepEqual(
    [...there].filter((name) => !families.has(familyOf(name))),
    [],
  )
  const labels = new Set(['job', 'instance', 'le', ...[...all.keys()].flatMap(labelsOf)])
  const by = queries.flatMap((query) =>
    [...query.matchAll(/(?:by \(|[{,])(\w+)(?=\)|=)/g)].map(([, label = '']) => label),
  )
  assert.deepEqual(
    by.filter((label) => !labels.has(label)),
    [],
  )
})

test('the dashboard is one that Grafana can show: panels with an id and a place each, variables that are declared, events that are made', () => {
  const ids = dashboard.panels.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    assert.ok(x >= 0 && x + w <= 24)
    return Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`)
  })
  assert.equal(new Set(cells).size, cells.length, 'no panel lies on another')
  for (const { title, type, targets = [] } of dashboard.panels) assert.ok(type === 'row' || targets.length > 0, title)

  const declared = new Set(dashboard.templating.list.map(({ name }) => name))
  const used = [...textOf(dashboardFile).matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name)
  // Grafana's own begin with two underscores.
  assert.deepEqual(
    used.filter((name) => !declared.has(name) && !name.startsWith('__')),
    [],
  )

  const types = [...textOf('docs/events.md').matchAll(/^\| `([\w.-]+)` \|/gm)].map(([, type = '']) => type)
  for (const query of queries) {
    const pairs = [...query].reduce((depth, unit) => depth + Number(unit === '(') - Number(unit === ')'), 0)
    assert.equal(pairs, 0, query)
    for (const wanted of typesIn(query))
      assert.ok(
        types.some((type) => wanted.test(type)),
        `no event is ${wanted}`,
      )
  }
})

/** The places where the grammar of Prometheus does not go on, and the names of what is asked. */
function readQuery(query: string): { readonly faults: number; readonly names: readonly string[] } {
  // Grafana puts a duration and patterns in the place of its variables.
  const text = query.replaceAll('$__rate_interval', '5m').replaceAll(/\$\{?\w+\}?/g, 'x')
  let faults = 0
  const names: string[] = []
  parser.parse(text).iterate({
    enter({ type, from, to, node }) {
      if (type.isError) faults++
      if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') names.push(text.slice(from, to))
    },
  })
  return { faults, names }
}

// `promtool check rules` takes them as well: each row as the `expr` of an alert, each query of the dashboard as a record.
test('each alert and each query of the dashboard is PromQL about series that are there', async () => {
  const { prometheus } = await everyMetric()
  const there = new Set([...seriesOf(prometheus).keys()].map((name) => name.split('{')[0]))
  const alerts = [...textOf('docs/operating.md').matchAll(/^\| `([^`]*secure_ws_[^`]*)` \|/gm)].map(
    ([, query = '']) => query,
  )
  assert.ok(alerts.length >= 10)
  for (const query of [...alerts, ...queries]) {
    const { faults, names } = readQuery(query)
    assert.equal(faults, 0, query)
    assert.ok(names.length > 0 && names.every((name) => there.has(name)), query)
  }
})

test('near miss: a query that is cut off, or calls a function that Prometheus does not have, is seen', () => {
  assert.equal(readQuery('sum by (le) (rate(a_bucket[5m])) > 1').faults, 0)
  for (const wrong of ['rate(a[5m]', 'rates(a[5m])', 'a{b=c}', 'sum(a b)'])
    assert.ok(readQuery(wrong).faults > 0, wrong)
  assert.deepEqual(readQuery('a / on (b) c').names, ['a', 'c'])
})

// A query that names what is not there shows an empty panel, which looks like a service without trouble.
test('near miss: a misspelt event is seen', () => {
  const types = ['handshake.refused', 'relay.failed']
  const found = (query: string) => typesIn(query).every((wanted) => types.some((type) => wanted.test(type)))
  assert.equal(found('x{type="handshake.refused"}'), true)
  assert.equal(found('x{type=~"handshake[.].*|relay.failed"}'), true)
  assert.equal(found('x{type="handshake.refuse"}'), false)
  assert.equal(found('x{type=~"relay.failed|relay.lost"}'), false)
})

function labelsOf(series: string): string[] {
  return [...series.matchAll(/(\w+)=/g)].map(([, label = '']) => label)
}
