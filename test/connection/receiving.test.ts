import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { connectionOn, FakePort } from './fake-port.ts'

const schema = { type: 'object', properties: { n: { type: 'string', maxLength: 4_000 } } } as const

/** A connection whose messages wait until they are told to go on, except those that begin with `now`. */
function waiting(limits: object = {}) {
  const port = new FakePort()
  const { connection, on, receive, heard } = connectionOn(port, { receives: { say: { schema } }, limits })
  const taken: string[] = []
  const waits: (() => void)[] = []
  on('say', ({ n }: { n: string }) => {
    taken.push(n.slice(0, 5))
    return n.startsWith('now') ? undefined : new Promise<void>((resolve) => waits.push(resolve))
  })
  return {
    connection,
    heard,
    taken,
    isHeld: () => port.blocks.has('queue'),
    push: (...texts: string[]) => {
      for (const n of texts) receive(JSON.stringify({ type: 'say', n }))
    },
    async next() {
      waits.shift()?.()
      await turn()
    },
  }
}

test('MS-14 a message waits for the one before it, and none for itself', async () => {
  const { taken, push, next } = waiting()
  push('now 1', 'a', 'b', 'now 2')
  assert.deepEqual(taken, ['now 1', 'a'])
  await next()
  assert.deepEqual(taken, ['now 1', 'a', 'b'])
  await next()
  assert.deepEqual(taken.at(-1), 'now 2')
  push('now 3')
  assert.deepEqual(taken.at(-1), 'now 3')
})

test('MS-15 reading stops at the bound of messages, and goes on when all are done', async () => {
  const { taken, push, next, isHeld } = waiting({ inboundQueue: 3 })
  push('a', 'b', 'c')
  assert.equal(isHeld(), false)
  push('d', 'e')
  assert.equal(isHeld(), true)
  for (let round = 0; round < 4; round++) await next()
  assert.deepEqual([taken.at(-1), isHeld()], ['e', true])
  await next()
  assert.equal(isHeld(), false)
  push('now')
  assert.deepEqual([taken.at(-1), isHeld()], ['now', false])
})

test('MS-15 reading stops at the bound of bytes as well', () => {
  const { push, isHeld } = waiting({ inboundQueue: 1_000, messageBytes: 1_000 })
  push('a', 'b'.repeat(900))
  assert.equal(isHeld(), false)
  push('c'.repeat(100))
  assert.equal(isHeld(), true)
})

test('SE-05 after the end nothing that waited is taken, and reading goes on for the close frame', async () => {
  const { connection, taken, push, next, isHeld } = waiting({ inboundQueue: 2 })
  push('a', 'b', 'c', 'd')
  assert.equal(isHeld(), true)
  connection.end(3000, 'revoked')
  assert.deepEqual([taken, connection.queued, isHeld()], [['a'], 0, false])
  await next()
  push('now')
  assert.deepEqual([taken, isHeld()], [['a'], false])
})

test('MS-15 what fails while others wait fails alone', async () => {
  const { connection, taken, push, next, heard } = waiting()
  push('a', 'now 1')
  connection.socket.prependListener('say', ({ n }: { n: string }) => {
    if (n === 'now 1') throw new Error('mine')
  })
  push('now 2')
  await next()
  assert.deepEqual(taken, ['a', 'now 2'])
  assert.equal(heard.filter(({ type }) => type === 'message.failed').length, 1)
})
