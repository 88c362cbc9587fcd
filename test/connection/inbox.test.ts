import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Frame, Inbox, type InboxBounds, type InboxHost } from '../../src/connection/inbox.ts'

/** An inbox whose frames wait until they are told to go on, and a record of what it did. */
function inbox(bounds: Partial<InboxBounds> = {}) {
  const done: string[] = []
  const waiting: (() => void)[] = []
  const kept: number[] = []
  const take = ({ bytes }: Frame) => {
    done.push(`take ${String(bytes)}`)
    return String(bytes).startsWith('now') ? undefined : new Promise<void>((resolve) => waiting.push(resolve))
  }
  const host: InboxHost = {
    take,
    takeLater: take,
    hold: () => done.push('hold'),
    release: () => done.push('release'),
    failed: (error) => done.push(`failed ${String(error)}`),
  }
  const box = new Inbox(host, { inboundQueue: 3, messageBytes: 100, ...bounds }, { kept: (bytes) => kept.push(bytes) })
  const push = (text: string) => box.push(frameOf(text), 0)
  const next = async () => {
    waiting.shift()?.()
    await new Promise(setImmediate)
  }
  return { box, done, push, next, kept }
}

const frameOf = (text: string): Frame => ({ bytes: Buffer.from(text), isBinary: false })

test('MS-14 a frame waits for the one before it, and none for itself', async () => {
  const { done, push, next } = inbox()
  for (const text of ['now 1', 'a', 'b', 'now 2']) push(text)
  assert.deepEqual(done, ['take now 1', 'take a'])
  await next()
  assert.deepEqual(done, ['take now 1', 'take a', 'take b'])
  await next()
  assert.deepEqual(done.at(-1), 'take now 2')
  push('now 3')
  assert.deepEqual(done.at(-1), 'take now 3')
})

test('MS-15 reading stops at the bound of frames, once, and goes on when all are done', async () => {
  const { done, push, next } = inbox()
  for (const text of ['a', 'b', 'c']) push(text)
  assert.ok(!done.includes('hold'))
  push('d')
  push('e')
  assert.equal(done.filter((each) => each === 'hold').length, 1)
  for (let round = 0; round < 5; round++) await next()
  assert.deepEqual(done.slice(-2), ['take e', 'release'])
  push('now')
  assert.equal(done.filter((each) => each === 'release').length, 1)
})

test('MS-15 reading stops at the bound of bytes as well', () => {
  const { done, push } = inbox({ inboundQueue: 1_000 })
  push('a')
  push('b'.repeat(99))
  assert.ok(!done.includes('hold'))
  push('c')
  assert.ok(done.includes('hold'))
})

test('SE-05 after clear() nothing that waited is taken, and reading goes on at once, once', async () => {
  const { box, done, push, next } = inbox()
  for (const text of ['a', 'b', 'c', 'd']) push(text)
  box.clear()
  assert.deepEqual(done, ['take a', 'hold', 'release'])
  await next()
  assert.deepEqual(done, ['take a', 'hold', 'release'])
  push('now')
  assert.deepEqual(done.at(-1), 'take now')
})

test('bytes that wait are told of, and those that need not wait are not', async () => {
  const { box, push, next, kept } = inbox()
  push('now 1')
  for (const text of ['a', 'bc', 'def']) push(text)
  assert.deepEqual([kept, box.bytes], [[2, 3], 5])
  for (let round = 0; round < 4; round++) await next()
  assert.equal(box.bytes, 0)
})
