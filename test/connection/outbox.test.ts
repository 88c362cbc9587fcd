import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outbox } from '../../src/connection/outbox.ts'

const turn = () => new Promise(setImmediate)

test('with nothing pending everything is written at once', () => {
  const written: string[] = []
  const outbox = new Outbox<string>((item) => written.push(item))
  outbox.push('a')
  outbox.push('b')
  assert.deepEqual(written, ['a', 'b'])
  assert.equal(outbox.size, 0)
})

test('a payload that is still being made holds those behind it, and the order is kept', async () => {
  const written: string[] = []
  const outbox = new Outbox<string>((item) => written.push(item))
  const [slow, slower] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  outbox.push(slow.promise)
  outbox.push('b')
  outbox.push(slower.promise)
  outbox.push('d')
  assert.equal(outbox.size, 4)
  slower.resolve('c')
  await turn()
  assert.deepEqual(written, [])
  slow.resolve('a')
  await turn()
  assert.deepEqual(written, ['a', 'b', 'c', 'd'])
  outbox.push('e')
  assert.deepEqual(written.at(-1), 'e')
})

test('what was refused is passed over, whether it is undefined or rejects', async () => {
  const written: string[] = []
  const outbox = new Outbox<string>((item) => written.push(item))
  outbox.push(Promise.reject(new Error('refused')))
  outbox.push(Promise.resolve(undefined))
  outbox.push('c')
  await turn()
  assert.deepEqual(written, ['c'])
})

test('SE-05 after clear() nothing that waited is written, whoever waits for it is told, and later payloads are as new', async () => {
  const written: string[] = []
  const forgotten: string[] = []
  const outbox = new Outbox<string>((item) => written.push(item))
  const slow = Promise.withResolvers<string>()
  outbox.push(slow.promise)
  outbox.push(Promise.reject(new Error('refused')))
  outbox.push('b')
  outbox.clear((item) => forgotten.push(item))
  outbox.push('c')
  slow.resolve('a')
  await turn()
  assert.deepEqual(written, ['c'])
  assert.deepEqual(forgotten, ['b', 'a'])
  outbox.clear((item) => forgotten.push(item))
  assert.deepEqual(forgotten, ['b', 'a'])
})
