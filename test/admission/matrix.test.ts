import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { optionsOf, readMatrix } from '../attacks/handshake-matrix.ts'
import { rawHandshake } from '../harness/raw-client.ts'
import { type GuardedServer, guardedServer } from './guarded-server.ts'

const { policies, rows } = readMatrix()

test('the matrix is whole', () => {
  assert.equal(rows.length, 247)
  assert.equal(rows.filter(({ statuses }) => statuses.includes(101)).length, 41)
})

for (const [name, policy] of policies) {
  for (const tls of [true, false]) {
    const under = rows.filter((row) => row.policy === name && row.tls === tls)
    if (under.length === 0) continue
    describe(`policy ${name} over ${tls ? 'TLS' : 'plain TCP'}`, () => {
      let server: GuardedServer
      before(async () => {
        const trustProxy = policy.trustProxy === false ? false : [...policy.trustProxy]
        server = await guardedServer(optionsOf(policy), { tls, trustProxy })
      })
      after(() => server.close())
      for (const { id, strength, why, bytes, statuses } of under) {
        test(`${id} (${strength}) ${why}`, async () => {
          const { status, text } = await rawHandshake({ port: server.port, tls, bytes })
          assert.ok(statuses.includes(status), `${status} instead of ${statuses.join(' or ')}: ${text.slice(0, 300)}`)
          // No row may get a 101 by being answered twice, and no refusal may be followed by anything.
          assert.equal(text.split('HTTP/1.1 ').length, 2)
        })
      }
    })
  }
}
