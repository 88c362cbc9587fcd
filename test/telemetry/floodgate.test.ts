import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AuditEvent, createAudit } from '../../src/telemetry/audit.ts'
import { createFloodgate } from '../../src/telemetry/floodgate.ts'
import { until } from '../harness/until.ts'

test('some lines in a window, and one more at its end: by itself, not with the next flood', async () => {
  const told: unknown[] = []
  const admits = createFloodgate({ lines: 3, window: 500, rest: ({ type }, held) => told.push([type, held]) })
  const written = Array.from({ length: 10_000 }, () => admits({ type: 'a', code: 1 })).filter(Boolean)
  assert.equal(written.length, 3)
  assert.equal(admits({ type: 'b', code: 1 }), true, 'another kind has lines of its own')
  assert.equal(admits({ type: 'a', code: 2 }), true, 'and so has another code')
  await until(() => told.length === 1, 'the rest was told')
  assert.deepEqual(told, [['a', 9_997]])
  assert.equal(admits({ type: 'a', code: 1 }), true, 'the next window is a new one')
  admits.close()
  assert.deepEqual(told, [['a', 9_997]], 'where nothing was held back, there is nothing to say')
})

test('a server that closes says what is left to say', () => {
  const told: unknown[] = []
  const admits = createFloodgate({ lines: 1, window: 60_000, rest: ({ type }, held) => told.push([type, held]) })
  for (let count = 0; count < 5; count++) admits({ type: 'a', code: undefined })
  admits.close()
  assert.deepEqual(told, [['a', 4]])
})

// A client may close with two thousand codes of its own (RFC 6455 section 7.4.2): with a window for each it would write 40,000 lines.
test('codes that a client chooses are one kind of line', () => {
  const lines: AuditEvent[] = []
  const write = (fields: object) => void lines.push(Reflect.get(fields, 'audit'))
  const audit = createAudit({ logger: { info: write, warn: write, error: write } })
  for (let code = 3_100; code < 4_400; code++) audit({ type: 'socket.closed', code })
  audit.close()
  assert.equal(lines.length, 21)
  assert.deepEqual([lines.at(-1)?.code, lines.at(-1)?.suppressed], ['other', 1_280])
})
