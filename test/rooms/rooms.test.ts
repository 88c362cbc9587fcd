import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roomName } from '../../src/rooms/room-name.ts'
import { createRooms } from '../../src/rooms/rooms.ts'

const member = (id: string) => ({ id, session: null, identity: null })

test('a member is found in every room it joined and in none it left', () => {
  const rooms = createRooms({ roomsPerSocket: 10 })
  const [ann, bob] = [member('ann'), member('bob')]
  rooms.join(ann, 'a')
  rooms.join(ann, 'b')
  rooms.join(bob, 'a')
  assert.deepEqual([...rooms.members('a')], [ann, bob])
  assert.equal(rooms.leave(ann, 'a'), true)
  assert.equal(rooms.leave(ann, 'a'), false)
  assert.deepEqual([...rooms.members('a')], [bob])
  assert.deepEqual([...rooms.of(ann)], ['b'])
})

test('BR-07 after 1,000 joins, leaves and vanishings nothing is kept', () => {
  const rooms = createRooms({ roomsPerSocket: 10 })
  for (let round = 0; round < 1000; round++) {
    const ghost = member(String(round))
    for (const room of ['a', 'b', 'c']) rooms.join(ghost, room, { until: round })
    rooms.leave(ghost, 'b')
    rooms.forget(ghost)
    assert.equal(rooms.members('a').size, 0)
  }
  assert.equal(rooms.size, 0)
  assert.deepEqual(rooms.expire(Number.MAX_SAFE_INTEGER), [])
})

test('RS-15 a socket can join roomsPerSocket rooms and not one more; joining again costs nothing', () => {
  const rooms = createRooms({ roomsPerSocket: 2 })
  const ann = member('ann')
  rooms.join(ann, 'a')
  rooms.join(ann, 'b')
  rooms.join(ann, 'b')
  assert.throws(() => rooms.join(ann, 'c'), { code: 'SWS_TOO_MANY_ROOMS', message: /limits\.roomsPerSocket/ })
  rooms.leave(ann, 'a')
  rooms.join(ann, 'c')
  assert.deepEqual([...rooms.of(ann)], ['b', 'c'])
})

test('a grant ends by itself, and joining again without an end keeps the member in', () => {
  const rooms = createRooms({ roomsPerSocket: 10 })
  const [ann, bob] = [member('ann'), member('bob')]
  rooms.join(ann, 'a', { until: 1000 })
  rooms.join(bob, 'a', { until: 1000 })
  rooms.join(bob, 'a')
  assert.deepEqual(rooms.expire(999), [])
  assert.deepEqual(rooms.expire(1000), [{ member: ann, room: 'a' }])
  assert.deepEqual([...rooms.members('a')], [bob])
})

test('the first member and the last one are announced, once each', () => {
  const seen: string[] = []
  const rooms = createRooms({
    roomsPerSocket: 10,
    onFirst: (room) => seen.push(`+${room}`),
    onLast: (room) => seen.push(`-${room}`),
  })
  const [ann, bob] = [member('ann'), member('bob')]
  rooms.join(ann, 'a')
  rooms.join(bob, 'a')
  rooms.leave(ann, 'a')
  rooms.forget(bob)
  assert.deepEqual(seen, ['+a', '-a'])
})

// BR-06: the right is asked for one spelling ("caf\u00e9"), the message goes to another ("cafe\u0301").
test('BR-06 one name has one spelling: NFC and NFD meet in the same room', () => {
  const rooms = createRooms({ roomsPerSocket: 10 })
  const ann = member('ann')
  rooms.join(ann, 'cafe\u0301')
  assert.equal(rooms.members('caf\u00e9').has(ann), true)
  assert.equal(rooms.members('Caf\u00e9').has(ann), false, 'case is part of the name')
  assert.equal(rooms.leave(ann, 'caf\u00e9'), true)
})

test('BR-05 names that could split a line, hide, or grow without bound are refused', () => {
  const bad = [
    '',
    ' a',
    'a ',
    'a\r\nb',
    'a\u0000',
    '\u2028',
    'a\u009b',
    '\ud800',
    'x'.repeat(257),
    1,
    null,
    undefined,
    {},
  ]
  for (const name of bad) assert.throws(() => roomName(name), { code: 'SWS_BAD_ROOM' })
  for (const name of ['a', '__proto__', 'a:b', '*', 'a b', 'x'.repeat(256), '\u{1f600}'])
    assert.equal(roomName(name), name)
})
