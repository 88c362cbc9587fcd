import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { compileProfile } from '../../src/sanitizing/profile.ts'
import { createWorkerPool, type WorkerPool, type WorkerPoolOptions } from '../../src/sanitizing/worker-pool.ts'

const pools: WorkerPool[] = []
after(() => Promise.all(pools.map((pool) => pool.close())))

/** A worker that answers as its documents say: what can go wrong in a thread, without waiting for jsdom to do it. */
const obedient = `
const { parentPort } = require('node:worker_threads')
parentPort.on('message', (questions) => {
  for (const { id, dirty } of questions) {
    if (dirty === 'hang') for (;;);
    if (dirty === 'exit') process.exit()
    if (dirty === 'throw') throw new Error('not caught')
    if (dirty === 'memory') { const kept = []; for (;;) kept.push(new Array(1e5).fill(kept.length)) }
    if (dirty === 'swap') parentPort.postMessage({ id: id + 1, clean: 'of another' })
    parentPort.postMessage({ id, clean: 'clean ' + dirty })
  }
})
parentPort.postMessage({ ready: true })`
const worker = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(asModule(code))}`)
const asModule = (code: string) =>
  `import { createRequire } from 'node:module'; const require = createRequire('file:///'); ${code}`

function pool(options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const made = createWorkerPool({
    profile: compileProfile('basic', 'x'),
    threads: 1,
    queue: 100,
    timeLimit: 200,
    workerUrl: worker(obedient),
    ...options,
  })
  pools.push(made)
  return made
}
const kind = (outcome: object) => ('because' in outcome ? outcome.because : 'clean')

test('no thread before the first document', async () => {
  const quiet = pool()
  assert.equal(quiet.stats().threads, 0)
  assert.deepEqual(await quiet.clean('a'), { clean: 'clean a' })
  assert.equal(quiet.stats().threads, 1)
})

// One document that never ends would otherwise keep the thread from everybody.
test('a document that runs out of time is refused alone, and its worker is replaced', async () => {
  const one = pool()
  const outcomes = await Promise.all(['a', 'b', 'hang', 'c', 'd'].map((dirty) => one.clean(dirty)))
  assert.deepEqual(outcomes.map(kind), ['clean', 'clean', 'time', 'clean', 'clean'])
  assert.deepEqual(outcomes[4], { clean: 'clean d' })
  assert.equal(one.stats().replaced, 1)
})

test('a worker that ends, throws or runs out of memory takes one document with it', async () => {
  const one = pool({ timeLimit: 20_000 })
  for (const fate of ['exit', 'throw', 'memory']) {
    const outcomes = await Promise.all([fate, 'a'].map((dirty) => one.clean(dirty)))
    assert.deepEqual(outcomes.map(kind), ['document', 'clean'], fate)
  }
  assert.equal(one.stats().replaced, 3)
})

// The clean text of one document must never be delivered as that of another.
test('an answer to another question is not believed', async () => {
  const one = pool()
  const outcomes = await Promise.all(['swap', 'a'].map((dirty) => one.clean(dirty)))
  assert.deepEqual(outcomes.map(kind), ['document', 'clean'])
  assert.deepEqual(outcomes[1], { clean: 'clean a' })
})

test('the queue is bounded: one too many is refused, the others are served', async () => {
  const one = pool({ queue: 3 })
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((dirty) => one.clean(dirty)))
  assert.deepEqual(outcomes.map(kind), ['clean', 'clean', 'clean', 'pool'])
  assert.deepEqual(await one.clean('e'), { clean: 'clean e' })
})

test('a clock that rings late, because this thread was busy, harms no worker that had answered', async () => {
  const one = pool({ timeLimit: 50 })
  await one.start()
  // After an immediate come the timers, and only then the messages.
  await new Promise((resolve) => setImmediate(resolve))
  const answered = one.clean('a')
  const until = performance.now() + 150
  while (performance.now() < until);
  assert.deepEqual(await answered, { clean: 'clean a' })
  assert.equal(one.stats().replaced, 0)
})

test('a sanitizer that cannot work refuses everything, without starting threads over and over', async () => {
  const unsupported = pool({
    workerUrl: worker(`require('node:worker_threads').parentPort.postMessage({ unusable: 'Error' })`),
  })
  const outcomes = await Promise.all(['a', 'b'].map((dirty) => unsupported.clean(dirty)))
  assert.deepEqual(outcomes.map(kind), ['pool', 'pool'])
  assert.equal(kind(await unsupported.clean('c')), 'pool')
  assert.equal(unsupported.stats().threads, 0)
  const missing = pool({ workerUrl: new URL('file:///nowhere/worker.js') })
  assert.equal(kind(await missing.clean('a')), 'pool')
})

test('an idle worker ends, and another starts when there is work again', async () => {
  const one = pool({ idle: 20 })
  await one.clean('a')
  while (one.stats().threads > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.deepEqual(await one.clean('b'), { clean: 'clean b' })
})

test('threads are bounded, and share what waits', async () => {
  const two = pool({ threads: 2 })
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, index) => two.clean(`${index}`)))
  assert.deepEqual(outcomes[99], { clean: 'clean 99' })
  assert.ok(two.stats().threads <= 2)
})

test('closing refuses what waits, ends the threads, and stays closed', async () => {
  const one = pool({ timeLimit: 20_000 })
  await one.start()
  const waiting = ['hang', 'a', 'b'].map((dirty) => one.clean(dirty))
  await one.close()
  assert.deepEqual((await Promise.all(waiting)).map(kind), ['pool', 'pool', 'pool'])
  assert.equal(one.stats().threads, 0)
  assert.equal(kind(await one.clean('c')), 'pool')
})
