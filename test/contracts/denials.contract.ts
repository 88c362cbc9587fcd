import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Denial, type DenialStore, denialOf } from '../../src/session/denials.ts'
import { isDenied, readAll } from '../harness/denials.ts'
import { type Nodes, storesOf } from './nodes.ts'

/** Revocations that outlive a node. */
export function denialsContract(open: () => Promise<Nodes>): void {
  describe('denials', () => {
    let nodes: Nodes
    let near: DenialStore
    let far: DenialStore
    before(async () => {
      nodes = await open()
      near = storesOf(nodes.buses[0]).denials
      far = storesOf(nodes.buses[1]).denials
    })
    after(() => nodes.close())

    const now = Date.now()
    const soon = now + 600_000
    const idsIn = (denials: readonly Denial[]) => denials.map(({ kind, id }) => `${kind}:${id}`).sort()

    test('CS-9: a session denied on one node is denied on the other, and only that one', async () => {
      await near.deny(denialOf('session', 's1', now, soon))
      assert.equal(await isDenied(far, { sessionId: 's1' }), true)
      assert.equal(await isDenied(far, { sessionId: 's1', authenticatedAt: soon }), true)
      for (const other of ['s2', 'S1', 's1 ', 's', '', '__proto__'])
        assert.equal(await isDenied(far, { sessionId: other }), false)
      assert.equal(await isDenied(far, { userId: 's1', tokenId: 's1' }), false)
      assert.equal(await isDenied(far, {}), false)
    })

    test('a token denied hits whatever session carries it', async () => {
      await near.deny(denialOf('token', 'jti', now, soon))
      assert.equal(await isDenied(far, { sessionId: 'any', tokenId: 'jti' }), true)
      assert.equal(await isDenied(far, { sessionId: 'any', tokenId: 'jtj' }), false)
    })

    test('a user denied may sign in again, and only then', async () => {
      await near.deny(denialOf('user', 'u1', now, soon))
      assert.equal(await isDenied(far, { sessionId: 'a', userId: 'u1', authenticatedAt: now - 1 }), true)
      assert.equal(await isDenied(far, { sessionId: 'a', userId: 'u1', authenticatedAt: now }), true)
      assert.equal(await isDenied(far, { sessionId: 'a', userId: 'u1', authenticatedAt: now + 1 }), false)
      // It may be the new one: the node whose socket it had denies the old one by its own id.
      assert.equal(await isDenied(far, { sessionId: 'a', userId: 'u1' }), false)
    })

    test('a user banned stays out however fresh the session, and whether or not it says so', async () => {
      await near.deny(denialOf('user', 'banned', soon, soon))
      assert.equal(await isDenied(far, { userId: 'banned', authenticatedAt: now + 1 }), true)
      assert.equal(await isDenied(far, { userId: 'banned' }), true)
    })

    test('a denial is over at its end', async () => {
      await near.deny(denialOf('session', 'over', now - 2_000, now - 1_000))
      assert.equal(await isDenied(far, { sessionId: 'over' }), false)
    })

    test('put twice, the later end and the later time count, in either order', async () => {
      await near.deny(denialOf('user', 'twice', now, soon))
      await near.deny(denialOf('user', 'twice', now - 5_000, now - 1_000))
      assert.equal(await isDenied(far, { userId: 'twice', authenticatedAt: now }), true)
      await near.deny(denialOf('user', 'twice', now + 5_000, now))
      assert.equal(await isDenied(far, { userId: 'twice', authenticatedAt: now + 5_000 }), true)
    })

    test('ids of any shape are ids', async () => {
      for (const id of ['*', 'a b', 'a\r\nDEL x', ':', '{x}', '\u00e4', '\ud800', 'x'.repeat(10_000)]) {
        assert.equal(await isDenied(far, { sessionId: id }), false)
        await near.deny(denialOf('session', id, now, soon))
        assert.equal(await isDenied(far, { sessionId: id }), true)
      }
    })

    test('SE-07: a node reads what came after its cursor, and nothing twice', async () => {
      const { cursor } = await readAll(far)
      assert.deepEqual((await readAll(far, cursor)).denials, [])
      const denial = denialOf('session', 'news', now, soon)
      await near.deny(denial)
      const news = await readAll(far, cursor)
      assert.deepEqual(news.denials, [denial])
      assert.equal(news.reset, false)
      assert.deepEqual((await readAll(far, news.cursor)).denials, [])
      // What says nothing new is no news; what does, is.
      await near.deny(denial)
      assert.deepEqual((await readAll(far, news.cursor)).denials, [])
      await near.deny({ ...denial, until: soon + 1 })
      assert.deepEqual((await readAll(far, news.cursor)).denials, [{ ...denial, until: soon + 1 }])
    })

    test('many at once are all read, from the beginning and from a cursor', async () => {
      const { cursor } = await readAll(far)
      const many = Array.from({ length: 1_203 }, (_, index) => denialOf('session', `many ${index}`, now, soon + index))
      await near.deny(...many)
      assert.deepEqual(idsIn((await readAll(far, cursor)).denials), idsIn(many))
      const all = new Set(idsIn((await readAll(far)).denials))
      assert.ok(idsIn(many).every((id) => all.has(id)))
    })

    test('two nodes denying at the same time lose nothing', async () => {
      const mine = Array.from({ length: 50 }, (_, index) => denialOf('session', `race ${index}`, now, soon))
      await Promise.all(mine.map((denial, index) => (index % 2 === 0 ? near : far).deny(denial)))
      const all = new Set(idsIn((await readAll(near)).denials))
      assert.ok(idsIn(mine).every((id) => all.has(id)))
    })
  })
}
