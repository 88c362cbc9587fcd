import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bus, memoryBus } from '../../src/index.ts'
import { createOwnWords } from '../../src/relay/own-words.ts'
import { createSender } from '../../src/relay/sender.ts'

const message = { kind: 'room', room: 'a', frame: 'x' } as const

function senderOver(publish: Bus['publish'], deadline = 30) {
  return createSender({ bus: { ...memoryBus(), publish }, own: createOwnWords('n'), now: Date.now, deadline })
}

// `revoke` waits for what it has told the others: a bus of somebody's own that never answers let it wait for ever.
test('a bus that takes a message and never says so has not taken it', async (t) => {
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
  await assert.rejects(
    senderOver(() => new Promise(() => {})).send(message),
    /^Error: no answer from the bus within 30 ms$/,
  )
})

test('a bus that throws or rejects is heard, and so is one that takes its time', async () => {
  const thrower = senderOver(() => {
    throw new Error('no')
  })
  await assert.rejects(async () => thrower.send(message), /no/)
  await assert.rejects(senderOver(async () => Promise.reject(new Error('away'))).send(message), /away/)
  await senderOver(() => new Promise((resolve) => setTimeout(resolve, 20)), 2_000).send(message)
})
