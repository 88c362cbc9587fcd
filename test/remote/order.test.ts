import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Order, parseAnswer, parseOrder, whomOf } from '../../src/remote/order.ts'
import { roomName } from '../../src/rooms/room-name.ts'
import fc from '../harness/fast-check.ts'

const id = 'abcdefghijklmnopqrstuv'
const orders: Order[] = [
  { verb: 'kick', whom: `socket:${id}`, room: 'a' },
  { verb: 'kick', whom: whomOf('user', 'ann'), room: 'a' },
  { verb: 'close', socket: id, code: 4000, reason: '' },
  { verb: 'list', ask: '1', node: '2', whom: undefined },
  { verb: 'list', ask: '1', node: '2', whom: whomOf('session', 's') },
]
const socket = { id, since: 1, route: '/', address: '::1', userId: 'ann', session: 'f' }
const answer = { ask: '1', node: '2', part: 0, parts: 1, sockets: [socket] }

test('orders and answers are what they were', () => {
  for (const order of orders) assert.deepEqual(parseOrder(JSON.stringify(order)), order)
  assert.deepEqual(parseAnswer(JSON.stringify(answer)), answer)
  const bare = { ...answer, sockets: [{ id, since: 1, route: '/' }] }
  assert.deepEqual(parseAnswer(JSON.stringify(bare))?.sockets[0]?.address, undefined)
})

// One member changed, taken away or added: an order that is nearly one is none.
test('near misses are no orders', () => {
  for (const order of orders) {
    for (const member of Object.keys(order)) {
      for (const value of [null, 7.5, '', {}, [], 'x'.repeat(5_000), '__proto__']) {
        // The reason and the room are text of the application, which may be anything short.
        if (['reason', 'room'].includes(member) && typeof value === 'string' && value.length < 5_000) continue
        if (['ask', 'node'].includes(member) && value === '__proto__') continue
        assert.equal(parseOrder(JSON.stringify({ ...order, [member]: value })), undefined, `${member} ${value}`)
      }
    }
    assert.equal(parseOrder(JSON.stringify({ ...order, more: 1 })), undefined)
  }
  const closing = { verb: 'close', socket: id, reason: '' }
  for (const code of [1005, 1006, 999, 5_000, 1000.5]) {
    assert.equal(parseOrder(JSON.stringify({ ...closing, code })), undefined, String(code))
  }
  for (const wrong of [
    { part: 1 },
    { parts: 0 },
    { parts: 1e9 },
    { sockets: [socket, {}] },
    { sockets: {} },
    { more: 1 },
  ]) {
    assert.equal(parseAnswer(JSON.stringify({ ...answer, ...wrong })), undefined, JSON.stringify(wrong))
  }
})

test('whatever arrives, the answer is an order or nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.object().map((value) => JSON.stringify(value)),
      ),
      (text) => {
        assert.equal(parseOrder(text), undefined)
        assert.equal(parseAnswer(text), undefined)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('BR-06: the rooms of nodes have names that no application can use', () => {
  for (const name of ['\u0001nodes', '\u0001node 1']) assert.throws(() => roomName(name), { code: 'SWS_BAD_ROOM' })
})
