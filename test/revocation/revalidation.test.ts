import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createRevalidation, type Revalidated } from '../../src/revocation/revalidation.ts'

/** A socket whose questions are answered by hand. */
function socketOf(): Revalidated & { ended: boolean; readonly open: (() => void)[]; asked: number } {
  const open: (() => void)[] = []
  return {
    ended: false,
    open,
    asked: 0,
    revalidate() {
      this.asked++
      return new Promise((resolve) => open.push(resolve))
    },
  }
}

test('no more sockets are asked at once than the bound, and all in turn', async () => {
  const revalidation = createRevalidation(1_000, 2)
  const sockets = Array.from({ length: 5 }, socketOf)
  for (const socket of sockets) revalidation.request(socket)
  const asked = () => sockets.map((socket) => socket.asked).join('')
  assert.equal(asked(), '11000')
  assert.equal(revalidation.pending, 5)
  sockets[1]?.open.pop()?.()
  await turn()
  assert.equal(asked(), '11100')
  for (let round = 0; round < 5; round++) {
    for (const socket of sockets) socket.open.pop()?.()
    await turn()
  }
  assert.equal(asked(), '11111')
  assert.equal(revalidation.pending, 0)
})

// A right is taken away while the question about it is open: the open answer is from before.
test('who is asked for while being asked is asked once more, afterwards, and not twice at once', async () => {
  const revalidation = createRevalidation(1_000)
  const socket = socketOf()
  for (let request = 0; request < 4; request++) revalidation.request(socket)
  assert.equal(socket.asked, 1)
  socket.open.pop()?.()
  await turn()
  assert.equal(socket.asked, 2)
  socket.open.pop()?.()
  await turn()
  assert.equal(socket.asked, 2)
  assert.equal(revalidation.pending, 0)
})

test('a socket that has ended is not asked, and does not keep others waiting', async () => {
  const revalidation = createRevalidation(1_000, 1)
  const [first, gone, last] = [socketOf(), socketOf(), socketOf()]
  for (const socket of [first, gone, last]) revalidation.request(socket)
  gone.ended = true
  first.open.pop()?.()
  await turn()
  await turn()
  assert.deepEqual([gone.asked, last.asked], [0, 1])
})

test('who opened together is not asked together for ever, and a failure is asked again sooner', () => {
  const { dueAfter, retryAfter } = createRevalidation(1_000)
  const dues = Array.from({ length: 200 }, () => dueAfter(5_000))
  assert.ok(dues.every((due) => due >= 5_900 && due <= 6_100))
  assert.ok(new Set(dues).size > 100)
  assert.ok(retryAfter(5_000) < 5_900)
})

test('what is urgent goes first and has places of its own, also while every routine question hangs', () => {
  const revalidation = createRevalidation(1_000, 2)
  const [hung, late, urgent] = [[socketOf(), socketOf()], socketOf(), socketOf()]
  for (const socket of [...hung, late]) revalidation.request(socket)
  revalidation.request(urgent, true)
  assert.deepEqual([late.asked, urgent.asked], [0, 1])
  // Asked for as routine, and then urgently: asked once.
  revalidation.request(late, true)
  revalidation.request(late)
  assert.equal(late.asked, 1)
  assert.equal(revalidation.pending, 5)
})
