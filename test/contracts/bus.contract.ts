import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Bus } from '../../src/relay/bus.ts'
import { until } from '../harness/until.ts'
import type { Nodes } from './nodes.ts'

/** What every bus must do, whatever carries it. */
export function busContract(open: () => Promise<Pick<Nodes, 'buses' | 'close'>>): void {
  describe('bus', () => {
    let nodes: Pick<Nodes, 'close'>
    let near: Bus
    let far: Bus
    before(async () => {
      const opened = await open()
      nodes = opened
      ;[near, far] = opened.buses
    })
    after(() => nodes.close())

    /** Everything published before this has been delivered by now: one topic, one order. */
    const settled = async (topic: string): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const end = await far.subscribe(topic, (payload) => payload === '(last)' && resolve())
      await near.publish(topic, '(last)')
      await promise
      await end()
    }

    test('hands a payload over unchanged', async () => {
      const payloads = ['x', '{"a":"<b>"}', 'line\r\nline\0end', '\u00e4\u20ac\u{1f600}', '"'.repeat(100_000), '']
      const heard: string[] = []
      const end = await far.subscribe('room:plain', (payload) => heard.push(payload))
      for (const payload of payloads) await near.publish('room:plain', payload)
      await until(() => heard.length === payloads.length, 'all were heard')
      assert.deepEqual(heard, payloads)
      await end()
    })

    test('keeps the order of one publisher on one topic', async () => {
      const heard: string[] = []
      const sent = Array.from({ length: 200 }, (_, index) => String(index))
      const end = await far.subscribe('room:order', (payload) => heard.push(payload))
      await Promise.all(sent.map((payload) => near.publish('room:order', payload)))
      await until(() => heard.length === sent.length, 'all were heard')
      assert.deepEqual(heard, sent)
      await end()
    })

    test('delivers exactly this topic, and no other that looks like it', async () => {
      const heard: string[] = []
      const end = await far.subscribe('room:a', (payload) => heard.push(payload))
      for (const topic of ['room:', 'room:A', 'room:a.', 'room:a:b', 'room:ab', 'room', 'a', 'control']) {
        await near.publish(topic, `for ${topic}`)
      }
      await near.publish('room:a', 'for it')
      await settled('room:a')
      assert.deepEqual(heard, ['for it', '(last)'])
      await end()
    })

    // The attack: join a room called `*`, and hear every room.
    for (const topic of [
      'room:*',
      'room:?',
      'room:[a-z]',
      'room:a\r\nPUBLISH x y',
      'room:{a}',
      '',
      'room:\u00e4',
      `room:${'a'.repeat(2048)}`,
    ]) {
      test(`BR-05: refuses the topic ${JSON.stringify(topic).slice(0, 30)}`, async () => {
        await assert.rejects(near.publish(topic, 'x'), TypeError)
        await assert.rejects(
          near.subscribe(topic, () => {}),
          TypeError,
        )
      })
    }

    test('delivers to every subscriber once, and to the others after one has ended', async () => {
      const heard: string[] = []
      const endOne = await far.subscribe('room:many', () => heard.push('one'))
      const endTwo = await far.subscribe('room:many', () => heard.push('two'))
      await near.publish('room:many', 'x')
      await settled('room:many')
      assert.deepEqual(heard.slice(0, 2).sort(), ['one', 'two'])
      await endOne()
      heard.length = 0
      await near.publish('room:many', 'y')
      await settled('room:many')
      assert.ok(heard.length > 0)
      assert.ok(!heard.includes('one'))
      await endTwo()
    })

    test('delivers nothing after the end, and again after a new beginning', async () => {
      const heard: string[] = []
      const end = await far.subscribe('room:end', (payload) => heard.push(payload))
      await end()
      await end()
      await near.publish('room:end', 'too late')
      await settled('room:end')
      assert.equal(heard.length, 0)
      const endAgain = await far.subscribe('room:end', (payload) => heard.push(payload))
      await near.publish('room:end', 'in time')
      await until(() => heard.length === 1, 'it was heard')
      assert.deepEqual(heard, ['in time'])
      await endAgain()
    })

    test('a subscriber that throws harms no other', async () => {
      const heard: string[] = []
      const { promise: warned, resolve } = Promise.withResolvers<Error>()
      process.once('warning', resolve)
      const endOne = await far.subscribe('room:throws', () => {
        throw new Error('listener of the test')
      })
      const endTwo = await far.subscribe('room:throws', (payload) => heard.push(payload))
      await near.publish('room:throws', 'x')
      await until(() => heard.length === 1, 'it was heard')
      assert.match((await warned).message, /listener of the test/)
      await endOne()
      await endTwo()
    })
  })
}
