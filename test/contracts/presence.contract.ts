import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { PresenceStore } from '../../src/relay/presence.ts'
import { until } from '../harness/until.ts'
import { type Nodes, storesOf } from './nodes.ts'

/** Who is in a room, on whichever node. */
export function presenceContract(open: () => Promise<Nodes>): void {
  describe('presence', () => {
    let nodes: Nodes
    let near: PresenceStore
    let far: PresenceStore
    before(async () => {
      nodes = await open()
      near = storesOf(nodes.buses[0]).presence
      far = storesOf(nodes.buses[1]).presence
    })
    after(() => nodes.close())

    const long = 600_000

    test('members of both nodes are seen by both, until they leave', async () => {
      await near.enter('r', 'a', long)
      await far.enter('r', 'b', long)
      await far.enter('r', 'b', long)
      assert.deepEqual((await near.members('r')).sort(), ['a', 'b'])
      assert.deepEqual((await far.members('r')).sort(), ['a', 'b'])
      await near.leave('r', 'a')
      await near.leave('r', 'nobody')
      assert.deepEqual(await far.members('r'), ['b'])
      assert.deepEqual(await far.members('empty'), [])
    })

    test('a member of a node that died is gone after its time, one that is renewed stays', async () => {
      await near.enter('d', 'dead', 50)
      await near.enter('d', 'alive', 50)
      await near.renew([{ key: 'd', holder: 'alive' }], long)
      await until(async () => !(await far.members('d')).includes('dead'), 'the dead one was gone')
      assert.deepEqual(await far.members('d'), ['alive'])
    })

    test('1.2.9: a room called `*` holds its own members only', async () => {
      await near.enter('secret', 'x', long)
      for (const room of ['*', 'secre?', '[s]ecret', 'secret\r\n', 'SECRET', '__proto__'])
        assert.deepEqual(await far.members(room), [])
      await near.enter('*', 'y', long)
      assert.deepEqual(await far.members('*'), ['y'])
      assert.deepEqual(await far.members('secret'), ['x'])
    })
  })
}
