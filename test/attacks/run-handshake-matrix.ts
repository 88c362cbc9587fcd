import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { rawHandshake } from '../harness/raw-client.ts'
import { type MatrixPolicy, readMatrix } from './handshake-matrix.ts'

/** A server that listens on 127.0.0.1 and has one socket route, `/ws`. */
export interface MatrixServer {
  readonly port: number
  close(): Promise<unknown>
}

/** Declares one test per row, each over a real socket, against one server per policy and transport. */
export function runHandshakeMatrix(start: (policy: MatrixPolicy, tls: boolean) => Promise<MatrixServer>): void {
  const { policies, rows } = readMatrix()

  test('the matrix is whole', () => {
    assert.equal(rows.length, 247)
    assert.equal(rows.filter(({ statuses }) => statuses.includes(101)).length, 41)
    assert.ok(rows.every((row) => policies.has(row.policy)))
  })

  for (const [name, policy] of policies) {
    for (const tls of [true, false]) {
      const under = rows.filter((row) => row.policy === name && row.tls === tls)
      if (under.length === 0) continue
      describe(`policy ${name} over ${tls ? 'TLS' : 'plain TCP'}`, () => {
        let server: MatrixServer
        before(async () => {
          server = await start(policy, tls)
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
}
