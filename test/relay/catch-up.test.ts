import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCatchUp } from '../../src/relay/catch-up.ts'
import { createDenialLedger } from '../../src/session/denial-ledger.ts'
import { type Denial, type DenialStore, denialOf } from '../../src/session/denials.ts'

/** A store that somebody has filled with what no node wrote. */
function overwritten(pages: number, perPage: number): DenialStore {
  return {
    deny: async () => {},
    async since(cursor = '0') {
      const page = Number(cursor)
      const refused = Array.from({ length: perPage }, (_, at) => {
        const { kind, id } = denialOf('user', `${page}.${at}`, 0, 0)
        return `${kind}:${id}`
      })
      return { denials: [], refused, cursor: String(page + 1), more: page + 1 < pages, reset: false }
    },
  }
}

// Whoever can write to the store writes a million names: each of them was kept until all were read.
test('S7 of however many names somebody has overwritten, a thousand are kept and asked for', async () => {
  const doubts: (readonly Denial[])[] = []
  const failures: string[] = []
  const catchUp = createCatchUp({
    store: overwritten(40, 100),
    ledger: createDenialLedger(),
    now: Date.now,
    learn: () => {},
    tell: () => {},
    doubt: (names) => doubts.push(names),
    onFailure: (error) => failures.push(String(error)),
  })
  await catchUp.reconcile()
  await catchUp.stop()
  assert.deepEqual(
    doubts.map(({ length }) => length),
    [1_000],
  )
  assert.deepEqual(failures, ['Error: 4000 stored revocations refused: bad signature'])
})
