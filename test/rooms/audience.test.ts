import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileOutbound } from '../../src/outbound/outbound.ts'
import type { SharedFrame } from '../../src/outbound/shared-frame.ts'
import { createAudience, type Recipient } from '../../src/rooms/audience.ts'
import { createRooms } from '../../src/rooms/rooms.ts'

type Member = Recipient & {
  readonly got: (SharedFrame | Promise<SharedFrame | undefined>)[]
  readonly refused: unknown[]
}

function policy(
  sends?: Record<string, { schema: object }>,
  sanitizeHtml: (dirty: string) => string | Promise<string> = (text) => text,
) {
  return compileOutbound({ encode: 'html', sends, path: 'secureWs', sanitizeHtml, warn: () => {} })
}

const anything = policy()

function member(id: string, outbound = anything): Member {
  const got: Member['got'] = []
  const refused: unknown[] = []
  return {
    id,
    session: { id: `session of ${id}`, userId: id },
    identity: null,
    outbound,
    got,
    refused,
    deliver: (frame) => void got.push(frame),
    outputRefused: (error) => void refused.push(error),
  }
}

function house(members: Readonly<Record<string, readonly Member[]>>) {
  const rooms = createRooms<Member>({ roomsPerSocket: 10 })
  for (const [room, list] of Object.entries(members)) for (const each of list) rooms.join(each, room)
  return rooms
}

test('one message is encoded once for all members with one policy, and once more for another policy', () => {
  const other = policy({
    said: { schema: { type: 'object', properties: { type: { type: 'string' }, text: { type: 'string' } } } },
  })
  const [ann, bob, cid] = [member('ann'), member('bob'), member('cid', other)]
  createAudience({ rooms: house({ a: [ann, bob, cid] }) }, ['a']).send({ type: 'said', text: '<b>' })
  assert.equal(ann.got.length, 1)
  assert.equal(ann.got[0], bob.got[0], 'the same frame')
  assert.notEqual(ann.got[0], cid.got[0])
})

test('who is in several of the rooms gets it once, who is left out not at all', () => {
  const [ann, bob, cid] = [member('ann'), member('bob'), member('cid')]
  const rooms = house({ a: [ann, bob], b: [ann, cid], c: [ann] })
  createAudience({ rooms }, ['a']).to('b').to('a').except(bob).send({ type: 'x' })
  assert.deepEqual(
    [ann, bob, cid].map(({ got }) => got.length),
    [1, 0, 1],
  )
})

test('an audience is not changed by what is made from it', () => {
  const [ann, bob] = [member('ann'), member('bob')]
  const lobby = createAudience({ rooms: house({ a: [ann], b: [bob] }) }, ['a'])
  lobby.to('b')
  lobby.except(ann)
  lobby.send({ type: 'x' })
  assert.deepEqual([ann.got.length, bob.got.length], [1, 0])
})

test('a message that one member may not get, or that cannot be encoded, reaches nobody, here or elsewhere', () => {
  const strict = policy({ said: { schema: { type: 'object', properties: { type: { type: 'string' } } } } })
  const [ann, bob] = [member('ann'), member('bob', strict)]
  let published = 0
  const audience = createAudience({ rooms: house({ a: [ann, bob] }), prepare: () => () => published++ }, ['a'])
  assert.throws(() => audience.send({ type: 'undeclared' }))
  const circle: Record<string, unknown> = { type: 'said' }
  circle.self = circle
  assert.throws(() => audience.send(circle))
  assert.deepEqual([ann.got.length, bob.got.length, published], [0, 0, 0])
  audience.send({ type: 'said' })
  assert.deepEqual([ann.got.length, bob.got.length, published], [1, 1, 1])
})

test('what cannot travel to other nodes is refused before anybody here got it', () => {
  const ann = member('ann')
  const prepare = () => {
    throw new TypeError('does not travel')
  }
  assert.throws(() => createAudience({ rooms: house({ a: [ann] }), prepare }, ['a']).send({ type: 'x' }), TypeError)
  assert.equal(ann.got.length, 0)
})

test('8.2.3 perMember is asked once per member, and drops, redacts or shares', () => {
  const members = ['ann', 'bob', 'cid', 'dan'].map((id) => member(id))
  const asked: (string | undefined)[] = []
  createAudience({ rooms: house({ a: members }) }, ['a']).send(
    { type: 'x', secret: 1 },
    {
      perMember(session, message) {
        asked.push(session?.userId)
        if (session?.userId === 'ann') return undefined
        return session?.userId === 'bob' ? { type: 'x' } : message
      },
    },
  )
  assert.deepEqual(asked, ['ann', 'bob', 'cid', 'dan'])
  const [ann, bob, cid, dan] = members
  assert.deepEqual(
    members.map(({ got }) => got.length),
    [0, 1, 1, 1],
  )
  assert.equal(cid?.got[0], dan?.got[0])
  assert.notEqual(bob?.got[0], cid?.got[0])
  assert.equal(ann?.refused.length, 0)
})

test('a payload that waits and is then refused is reported once, not once per member', async () => {
  const sanitizing = policy(
    {
      said: {
        schema: {
          type: 'object',
          properties: { type: { type: 'string' }, body: { type: 'string', contentMediaType: 'text/html' } },
        },
      },
    },
    () => Promise.reject(new Error('out of time')),
  )
  const members = ['ann', 'bob'].map((id) => member(id, sanitizing))
  createAudience({ rooms: house({ a: members }) }, ['a']).send({ type: 'said', body: '<b>x</b>' })
  assert.equal(await members[0]?.got[0], undefined)
  assert.equal(await members[1]?.got[0], undefined)
  assert.equal(members.flatMap(({ refused }) => refused).length, 1)
})
