import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../harness/until.ts'
import { connectionOn, FakePort } from './fake-port.ts'

// A connection knows nothing of ws but its port: here it runs on one that leads nowhere, without a server.

const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const

test('a message is read once somebody listens, delivered, and answered', async () => {
  const port = new FakePort()
  const { on, receive } = connectionOn(port, { receives: { say: text } })
  assert.deepEqual([...port.blocks], ['opening'])
  on('say', (message: { text: string }) => message.text.length)
  assert.deepEqual([...port.blocks], [])
  receive('{"type":"say","id":1,"text":"hello"}')
  receive('{"type":"say","id":2,"text":5}')
  assert.deepEqual(port.done, [
    '{"type":"reply","id":1,"value":5}',
    '{"type":"error","code":"SWS_INVALID_MESSAGE","id":2}',
  ])
})

test('SE-05 after the end nothing is delivered, nothing is sent, and the reader reads on for the close frame', () => {
  const port = new FakePort()
  const { connection, on, receive, heard } = connectionOn(port, { receives: { say: text } })
  let calls = 0
  on('say', () => calls++)
  port.block('application')
  connection.end(1008, 'enough')
  receive('{"type":"say","text":"late"}')
  connection.send({ type: 'said' }, undefined)
  connection.end(1011, 'and once more')
  assert.deepEqual(port.done, ['close 1008'])
  assert.deepEqual([calls, port.blocks.size], [0, 0])
  assert.equal(heard.filter(({ type }) => type === 'socket.closed').length, 1)
})

test('the close frame of the application stands behind what it sent before, and nothing behind the close frame', async () => {
  const port = new FakePort()
  const { connection } = connectionOn(port)
  const said: unknown[] = []
  connection.send(new Blob(['last words']), undefined, (error) => said.push(error?.message))
  connection.close(1000, undefined)
  connection.send('too late', undefined, (error) => said.push(error?.message))
  assert.deepEqual(port.done, [])
  await until(() => port.done.length === 2, 'the Blob was read, and left')
  assert.equal(port.done.at(-1), 'close 1000')
  assert.equal(said.filter((error) => error === undefined).length, 1)
})

test('RS-03 an idle connection is asked for a sign of life on time, and ended without one', () => {
  const port = new FakePort()
  const { connection, limits, visit, heard } = connectionOn(port)
  connection.handlerSettled()
  for (let second = 0; second * 1_000 < limits.heartbeat.every; second++) visit()
  assert.deepEqual(port.done, [])
  visit()
  assert.deepEqual(port.done, ['ping'])
  for (let second = 0; second * 1_000 < limits.heartbeat.timeout; second++) visit()
  assert.deepEqual(port.done, ['ping', 'terminate'])
  assert.equal(heard.at(-1)?.code, 3008)
})

// A busy machine: each visit comes half a second late, and none is left out for that.
test('what is due is looked at by the clock, and not by the number of visits', () => {
  const port = new FakePort()
  const { connection, limits, visit, time } = connectionOn(port)
  connection.handlerSettled()
  const since = time.uptime
  while (port.done.length === 0 && time.uptime - since < 2 * limits.heartbeat.every) {
    time.uptime += 500
    visit()
  }
  assert.deepEqual(port.done, ['ping'])
  assert.ok(time.uptime - since <= limits.heartbeat.every + 2 * 1_500, `${time.uptime - since} ms`)
})

/** A connection in the care of the real sweep, with both clocks in hand. */
function swept(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const port = new FakePort()
  const made = connectionOn(port)
  made.connection.handlerSettled()
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      made.time.uptime++
      t.mock.timers.tick(1)
    }
  }
  /** How many ms pass until it is closed. */
  const closedAfter = (most: number) => {
    let passed = 0
    while (port.done.length === 0 && passed < most) {
      pass(1)
      passed++
    }
    return passed
  }
  return { ...made, port, pass, closedAfter }
}

const begins: readonly [limit: 'partialMessage' | 'writeTimeout', code: number, begin: (port: FakePort) => void][] = [
  ['partialMessage', 3008, (port) => port.begin()],
  ['writeTimeout', 1013, (port) => port.stall(5)],
]
for (const [limit, code, begin] of begins) {
  for (const at of [0, 300, 999]) {
    test(`RS-14 RS-09 limits.${limit} is late by a quarter of a second at most, and never early, ${at} ms into a round`, (t) => {
      const { port, limits, pass, closedAfter } = swept(t)
      // Past the time of the handshake, when nothing is due for a while.
      pass(12_000 + at)
      begin(port)
      const passed = closedAfter(30_000)
      assert.deepEqual(port.done, [`close ${code}`])
      const late = passed - limits[limit]
      assert.ok(late >= 0 && late <= 250, `${late} ms late`)
    })
  }
}

test('half a message that is whole in time, and bytes that left in time, end nothing', (t) => {
  const { port, limits, pass, receive } = swept(t)
  for (let round = 0; round < 2; round++) {
    port.begin()
    port.stall(5)
    pass(Math.min(limits.partialMessage, limits.writeTimeout) - 300)
    receive('x')
    port.midMessage = false
    port.waiting = 0
    pass(200)
  }
  assert.deepEqual(port.done, [])
})
