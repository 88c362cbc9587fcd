import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { type AuditEntry, type AuditEvent, createAudit } from '../../src/telemetry/audit.ts'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

function logger() {
  const errors: unknown[] = []
  const note = (fields: object) => void errors.push(fields)
  return { errors, log: { debug() {}, info() {}, warn() {}, error: note, fatal: note } }
}

// D5: a rejection that nobody hears ends the process. A query builder is a thenable, and no Promise.
test('an audit function that throws, rejects, or answers a thenable that rejects is logged', async () => {
  const wrong: readonly (() => unknown)[] = [
    () => {
      throw new Error('x')
    },
    async () => {
      throw new Error('x')
    },
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
    () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error('x')) }),
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
      then() {
        throw new Error('x')
      },
    }),
  ]
  for (const listener of wrong) {
    const { errors, log } = logger()
    const audit = createAudit({ logger: log as never, listener })
    audit({ type: 'relay.failed', reason: 'r' })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(errors.filter((fields) => 'err' in Object(fields)).length, 1)
  }
})

test('a logger that throws at the rejection of an audit function does not end the process', async () => {
  const { log } = logger()
  const error = () => {
    throw new Error('disk full')
  }
  const audit = createAudit({ logger: { ...log, error } as never, listener: () => Promise.reject(new Error('x')) })
  audit({ type: 'relay.recovered' })
  await new Promise((resolve) => setImmediate(resolve))
})

const turn = () => new Promise((resolve) => setImmediate(resolve))
const many = 10_000

/** Events of a stranger, a hundred in each turn. */
async function flood(audit: (entry: AuditEntry) => void, most = many): Promise<void> {
  for (let count = 1; count <= most; count++) {
    audit({ type: 'handshake.refused', code: `SWS_${count}`, reason: 'r' })
    if (count % 100 === 0) await turn()
  }
}

// A collector of logs that is away made a line with a stack for each event: a thousand refusals a second, a thousand stacks.
for (const [how, listener] of [
  [
    'throws',
    () => {
      throw new Error('x')
    },
  ],
  ['rejects', () => Promise.reject(new Error('x'))],
] as const) {
  test(`a function that ${how} at each of ten thousand events costs some lines a second, and the rest is counted`, async (t) => {
    let now = 0
    t.mock.method(performance, 'now', () => now)
    const { errors, log } = logger()
    const audit = createAudit({ logger: log as never, listener })
    t.after(() => audit.close())
    const thrown = () => errors.filter((fields) => 'err' in Object(fields))
    await flood(audit)
    assert.equal(thrown().length, 5)
    now = 1_000
    audit({ type: 'relay.failed', reason: 'r' })
    await turn()
    assert.equal(thrown().length, 6)
    assert.equal(Reflect.get(Object(thrown().at(-1)), 'suppressed'), many - 5)
  })
}

// What is asked and not answered is kept: the memory of a server was that of a collector which takes a minute, times the refusals.
test('an async function that does not answer is asked ten thousand times, told of once, and given the rest as a number', async () => {
  const { errors, log } = logger()
  const gates: (() => void)[] = []
  const got: AuditEvent[] = []
  const listener = (event: AuditEvent) => {
    got.push(event)
    return new Promise<void>((resolve) => gates.push(resolve))
  }
  const audit = createAudit({ logger: log as never, listener })
  let published = 0
  const hear = () => void published++
  subscribe('fastify-secure-ws:audit', hear)
  await flood(audit, 5 * many)
  unsubscribe('fastify-secure-ws:audit', hear)
  assert.equal(got.length, many)
  assert.equal(published, 5 * many)
  const lines = () => errors.filter((fields) => 'unanswered' in Object(fields))
  assert.equal(lines().length, 1)

  // Not for each that is answered: it would be behind again with the next event.
  for (const answer of gates.splice(0, many / 2 - 1)) answer()
  await turn()
  audit({ type: 'relay.recovered' })
  assert.equal(got.length, many)
  gates.shift()?.()
  await turn()
  audit({ type: 'relay.recovered' })
  audit({ type: 'relay.recovered' })
  assert.deepEqual(
    got.slice(many).map(({ type, suppressed }) => [type, suppressed]),
    [
      ['relay.recovered', 4 * many + 1],
      ['relay.recovered', undefined],
    ],
  )
  assert.equal(lines().length, 1)
  audit.close()
})

test('what a function never got is a line of its own at the end, once', async () => {
  const { errors, log } = logger()
  const audit = createAudit({ logger: log as never, listener: () => new Promise(() => {}) })
  await flood(audit, 2 * many)
  audit.close()
  audit.close()
  assert.deepEqual(
    errors.filter((fields) => 'suppressed' in Object(fields)),
    [{ suppressed: many }],
  )
})

// A drain, or a bus that comes back, makes many in one turn, in which nobody can answer.
test('near miss: events of one turn all reach a function that answers in time, and one that answers at once', async () => {
  for (const answer of [async () => {}, () => {}]) {
    const { errors, log } = logger()
    let got = 0
    const listener = () => {
      got++
      return answer()
    }
    const audit = createAudit({ logger: log as never, listener })
    for (let count = 0; count < 3 * many; count++) audit({ type: 'relay.recovered' })
    await turn()
    audit({ type: 'relay.recovered' })
    assert.equal(got, 3 * many + 1)
    assert.deepEqual(errors, [])
    audit.close()
  }
})

// The one whose collector is away is the one that is attacked: its own clients get in, and are served, all the same.
test('a function that never answers holds up no handshake and no message', async (t) => {
  let asked = 0
  const audit = () => {
    asked++
    return new Promise<void>(() => {})
  }
  const refusals = { perMinute: 1_000_000 }
  const server = await startServer(t, { audit, limits: { refusals } }, (app) => {
    const receives = { say: { schema: { type: 'object' } } } as const
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', () => 'heard')
    })
  })
  const stranger = await server.connect()
  const unknown = json({ type: 'unknown' })
  for (let sent = 0; sent <= many; sent += 100) {
    for (let count = 0; count < 100; count++) stranger.write(unknown)
    await until(() => stranger.messages.length === sent + 100, 'each was refused')
  }
  const before = asked
  assert.ok(before >= many && before <= many + 200, String(before))
  const peer = await server.connect()
  peer.write(json({ type: 'say', id: 1 }))
  await until(() => peer.messages.length === 1, 'it was answered')
  assert.deepEqual(peer.messages, [{ type: 'reply', id: 1, value: 'heard' }])
  assert.equal(asked, before)
})
