import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAudit } from '../../src/telemetry/audit.ts'

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
    const audit = createAudit({ logger: log as never, listener: listener as () => void })
    audit({ type: 'relay.failed', reason: 'r' })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(errors.filter((fields) => 'err' in Object(fields)).length, 1)
  }
})
