import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { StoredTicket, TicketStore } from '../../src/authentication/ticket-store.ts'
import { until } from '../harness/until.ts'
import type { Nodes } from './nodes.ts'

/** Tickets: kept by their hash, taken once. */
export function ticketsContract(open: () => Promise<Nodes>): void {
  describe('tickets', () => {
    let nodes: Nodes
    let near: TicketStore
    let far: TicketStore
    before(async () => {
      nodes = await open()
      ;[near, far] = nodes.tickets
    })
    after(() => nodes.close())

    const newHash = () => createHash('sha256').update(randomBytes(16)).digest('base64url')
    const ticket = (ttlMs = 60_000): StoredTicket => ({
      sessionId: `session ${Math.random()}`,
      userId: 'u\u00e4',
      origin: 'https://app.example',
      route: '/rooms/:id',
      expiresAt: Date.now() + ttlMs,
    })

    test('a ticket comes back as it was put, once, however often it was looked at', async () => {
      const hash = newHash()
      const put = ticket()
      await near.put(hash, put, 60_000)
      for (const store of [far, near, far]) assert.deepEqual(await store.peek?.(hash), put)
      assert.deepEqual(await far.take(hash), put)
      assert.equal(await near.peek?.(hash), undefined)
      assert.equal(await far.take(hash), undefined)
      assert.equal(await near.take(hash), undefined)
    })

    test('a ticket without user and origin comes back without', async () => {
      const hash = newHash()
      const { userId: _, ...rest } = ticket()
      const put = { ...rest, origin: null }
      await near.put(hash, put, 60_000)
      assert.deepEqual(await far.take(hash), put)
    })

    test('SE-09: of 50 that redeem one ticket on two nodes at the same time, one gets it', async () => {
      for (let round = 0; round < 20; round++) {
        const hash = newHash()
        await near.put(hash, ticket(), 60_000)
        const takes = await Promise.all(
          Array.from({ length: 50 }, async (_, turn) => (turn % 2 ? near : far).take(hash)),
        )
        assert.equal(takes.filter((taken) => taken !== undefined).length, 1)
      }
    })

    test('SE-10: a ticket is gone after its time', async () => {
      const hashes = Array.from({ length: 200 }, newHash)
      for (const hash of hashes) await near.put(hash, ticket(50), 50)
      // Taking spends a ticket, so each look needs one of its own.
      await until(async () => (await far.take(hashes.pop() ?? '')) === undefined, 'a ticket was gone')
      assert.ok(hashes.length > 0)
    })

    test('SE-12: what was never issued is no ticket', async () => {
      for (const hash of [newHash(), '', '*', '__proto__', 'a\r\nGET x', 'x'.repeat(10_000)])
        for (const taken of [await far.take(hash), await far.peek?.(hash)]) assert.equal(taken, undefined)
    })
  })
}
