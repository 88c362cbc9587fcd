import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { compileProfile } from '../../src/sanitizing/profile.ts'
import { createWorkerPool, type WorkerPool, type WorkerPoolOptions } from '../../src/sanitizing/worker-pool.ts'
import { until } from '../harness/until.ts'

const pools: WorkerPool[] = []
after(() => Promise.all(pools.map((pool) => pool.close())))

/** A worker that answers as its documents say: what can go wrong in a thread, without waiting for jsdom to do it. */
const obedient = `
const { parentPort } = require('node:worker_threads')
parentPort.on('message', (questions) => {
  for (const { id, dirty } of questions) {
    if (dirty.startsWith('hang')) for (;;);
    if (dirty === 'exit') process.exit()
    if (dirty === 'throw') throw new RangeError('a secret of the document')
    if (dirty === 'throw no error') throw 'a secret of the document'
    if (dirty === 'memory') { const kept = []; for (;;) kept.push(new Array(1e5).fill(kept.length)) }
    if (dirty === 'wait') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    if (dirty === 'twice') parentPort.postMessage({ id, clean: 'once' })
    if (dirty === 'nothing') return
    if (dirty === 'swap') parentPort.postMessage({ id: id + 1, clean: 'of another' })
    parentPort.postMessage({ id, clean: 'clean ' + dirty })
  }
})
parentPort.postMessage({ ready: true })`
const worker = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(asModule(code))}`)
const asModule = (code: string) =>
  `import { createRequire } from 'node:module'; const require = createRequire('file:///'); ${code}`

const profile = compileProfile('basic', 'x')
const defaults = { profile, threads: 1, queue: 100, timeLimit: 20_000, workerUrl: worker(obedient) }

function pool(options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const made = createWorkerPool({ ...defaults, ...options })
  pools.push(made)
  return made
}
const kind = (outcome: object) => ('because' in outcome ? outcome.because : 'clean')
const refusedByPool = (refused: string) => ({ refused, because: 'pool' })
/** What a worker threw is its host's, and the tests of the causes are of the whole server. */
const withoutCause = (outcome: object) => Object.fromEntries(Object.entries(outcome).filter(([key]) => key !== 'cause'))
const cleanAll = (one: WorkerPool, dirty: readonly string[]) => Promise.all(dirty.map((text) => one.clean(text)))

/** The workers that a test starts, as Node tells of them one tick later. */
function startedIn(t: TestContext): Worker[] {
  const started: Worker[] = []
  const add = (made: Worker) => started.push(made)
  process.on('worker', add)
  t.after(() => process.off('worker', add))
  return started
}

/** A clock that stands still unless it is set. */
function clockIn(t: TestContext): { now: number } {
  const clock = { now: 1_000 }
  t.mock.method(performance, 'now', () => clock.now)
  return clock
}

test('no thread before the first document', async () => {
  const quiet = pool()
  assert.equal(quiet.stats().threads, 0)
  assert.deepEqual(await quiet.clean('a'), { clean: 'clean a' })
  assert.equal(quiet.stats().threads, 1)
})

// One document that never ends would otherwise keep the thread from everybody.
test('a document that runs out of time is refused alone, and its worker is replaced', async () => {
  const one = pool({ timeLimit: 1_000 })
  const outcomes = await Promise.all(['a', 'b', 'hang', 'c', 'd'].map((dirty) => one.clean(dirty)))
  assert.deepEqual(outcomes.map(kind), ['clean', 'clean', 'time', 'clean', 'clean'])
  assert.deepEqual(outcomes[2], { refused: 'took longer than 1000 ms', because: 'time' })
  assert.deepEqual(outcomes[4], { clean: 'clean d' })
  assert.equal(one.stats().replaced, 1)
})

// What a thread throws that reads a document may quote it: Node's own words are the only ones that are passed on.
test('a worker that ends, throws or runs out of memory fails one document, with its cause', async () => {
  const one = pool({ timeLimit: 20_000 })
  for (const [fate, what, cause] of [
    ['exit', 'ended', 'its exit code was 0'],
    ['throw', 'failed', 'RangeError was thrown in it'],
    ['throw no error', 'failed', 'no Error was thrown in it'],
    ['memory', 'failed', 'Worker terminated due to reaching memory limit: JS heap out of memory'],
  ] as const) {
    const [outcome = {}, next] = await cleanAll(one, [fate, 'a'])
    assert.deepEqual(withoutCause(outcome), { refused: `a worker of the sanitizer ${what}`, because: 'worker' })
    assert.equal(Object(outcome).cause.message, cause)
    assert.deepEqual(next, { clean: 'clean a' })
    assert.equal(one.stats().threads, 1)
  }
  assert.equal(one.stats().replaced, 4)
})

// Else one session that has found such a document keeps all workers loading jsdom.
test('a document that breaks its worker costs its sender half a share', async () => {
  const one = pool({ share: { documents: 256, milliseconds: 1_000, perSecond: 0 } })
  for (const dirty of ['exit', 'throw']) assert.equal(kind(await one.clean(dirty, 'mallory')), 'worker')
  assert.deepEqual(await one.clean('a', 'mallory'), {
    refused: 'its sender has used up their share of time',
    because: 'share',
  })
  assert.deepEqual(await one.clean('a', 'ada'), { clean: 'clean a' })
})

// Whoever comes next would wait for jsdom because of somebody else's document.
test('a worker that broke is replaced before anybody needs it', async () => {
  const one = pool({ timeLimit: 500 })
  assert.equal(kind(await one.clean('exit')), 'worker')
  assert.equal(one.stats().threads, 1)
  assert.equal(kind(await one.clean('hang')), 'time')
  assert.equal(one.stats().threads, 1)
})

// The clean text of one document must never be delivered as that of another.
test('an answer to another question is not believed', async () => {
  const one = pool()
  const outcomes = await Promise.all(['swap', 'a'].map((dirty) => one.clean(dirty)))
  assert.deepEqual(outcomes[0], {
    refused: 'a worker of the sanitizer lost count',
    because: 'worker',
  })
  assert.deepEqual(outcomes[1], { clean: 'clean a' })
})

test('a worker that answers what nobody asked is replaced', async () => {
  const one = pool()
  assert.deepEqual(await one.clean('twice'), { clean: 'once' })
  await until(() => one.stats().replaced === 1, 'it is replaced')
  assert.deepEqual(await one.clean('a'), { clean: 'clean a' })
})

test('a refusal of a worker is about the document', async () => {
  const refusing = obedient.replace(`clean: 'clean ' + dirty`, `refused: 'nested deeper than ' + dirty`)
  const one = pool({ workerUrl: worker(refusing) })
  assert.deepEqual(await one.clean('100'), { refused: 'nested deeper than 100', because: 'document' })
})

test('the queue is bounded: one too many is refused, the others are served', async () => {
  const one = pool({ queue: 3 })
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((dirty) => one.clean(dirty)))
  assert.deepEqual(outcomes.map(kind), ['clean', 'clean', 'clean', 'pool'])
  assert.deepEqual(outcomes[3], refusedByPool('the queue of the sanitizer is full'))
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
  // The clock rang before the answer was read, and looks once more after it.
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(one.stats().replaced, 0)
})

test('a sanitizer that cannot work refuses everything, without starting threads over and over', async (t) => {
  const started = startedIn(t)
  const unusable = worker(`require('node:worker_threads').parentPort.postMessage({ unusable: 'Error' })`)
  for (const [workerUrl, reason] of [
    [unusable, 'the sanitizer does not work here: Error'],
    [worker("throw new Error('at its first line')"), 'a worker of the sanitizer failed'],
    // Not there, as inside a bundle.
    [new URL('file:///nowhere/worker.js'), 'a worker of the sanitizer could not be started'],
    [worker('process.exit()'), 'a worker of the sanitizer ended'],
    // Node throws at this one instead of starting it.
    [new URL('https://localhost/worker.js'), 'a worker of the sanitizer could not be started'],
  ] as const) {
    const one = pool({ workerUrl })
    const outcomes = await cleanAll(one, ['a', 'b'])
    assert.deepEqual(outcomes.map(withoutCause), [refusedByPool(reason), refusedByPool(reason)])
    const before = started.length
    assert.deepEqual(withoutCause(await one.clean('c')), refusedByPool(reason))
    assert.deepEqual(withoutCause(await one.start()), refusedByPool(reason))
    assert.deepEqual(one.stats(), { threads: 0, waiting: 0, replaced: 0 })
    assert.equal(started.length, before)
    assert.deepEqual(withoutCause(await pool({ workerUrl }).start()), refusedByPool(reason))
  }
})

test('after a pause a worker that could not start is tried again', async (t) => {
  const clock = clockIn(t)
  const { path, url } = moduleIn(t)
  const one = pool({ workerUrl: url })
  assert.equal(kind(await one.clean('a')), 'pool')
  writeFileSync(path, asModule(obedient))
  clock.now += 4_999
  assert.equal(kind(await one.clean('b')), 'pool')
  clock.now += 1
  assert.deepEqual(await one.clean('c'), { clean: 'clean c' })
})

/** Only the first of these threads comes up, and only when it may. */
const onlyOne = (first: string, may: string) => `
const { existsSync, mkdirSync } = require('node:fs')
try { mkdirSync(${JSON.stringify(first)}) } catch { process.exit() }
while (!existsSync(${JSON.stringify(may)}));
${obedient}`

// A machine that cannot start a second thread in time, being busy, would otherwise stop to clean at all.
test("a worker that cannot start is in nobody else's way", async (t) => {
  const clock = clockIn(t)
  const started = startedIn(t)
  const { path } = moduleIn(t)
  writeFileSync(path, '')
  const one = pool({ threads: 2, timeLimit: 20_000, workerUrl: worker(onlyOne(`${path}.first`, path)) })
  assert.deepEqual(await one.start(), { clean: '' })
  const both = cleanAll(one, ['wait', 'b'])
  assert.equal(one.stats().threads, 2)
  await until(() => one.stats().threads === 1, 'the second is gone')
  // Whoever comes now is not refused, and starts no third one.
  assert.deepEqual(await one.clean('c'), { clean: 'clean c' })
  assert.deepEqual((await both).map(kind), ['clean', 'clean'])
  assert.deepEqual(await one.start(), { clean: '' })
  assert.equal(started.length, 2)
  clock.now += 5_000
  assert.deepEqual((await cleanAll(one, ['wait', 'b'])).map(kind), ['clean', 'clean'])
  assert.equal(started.length, 3)
})

test('a worker that comes up ends the pause that another one began', async (t) => {
  clockIn(t)
  const started = startedIn(t)
  const { path } = moduleIn(t)
  const one = pool({ threads: 2, timeLimit: 20_000, workerUrl: worker(onlyOne(`${path}.first`, path)) })
  const many = await cleanAll(
    one,
    Array.from({ length: 17 }, () => 'a'),
  )
  assert.deepEqual(new Set(many.map(kind)), new Set(['pool']))
  assert.equal(kind(await one.start()), 'pool')
  writeFileSync(path, '')
  await until(async () => kind(await one.clean('b')) === 'clean', 'the first one is ready')
  assert.deepEqual((await cleanAll(one, ['wait', 'b'])).map(kind), ['clean', 'clean'])
  assert.equal(started.length, 3)
})

/** A place for a module that is not there yet. */
function moduleIn(t: TestContext): { readonly path: string; readonly url: URL } {
  const folder = mkdtempSync(join(tmpdir(), 'worker-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'worker.mjs')
  return { path, url: pathToFileURL(path) }
}

test('a worker that does not come up in fifteen seconds is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const one = pool({ workerUrl: worker('setInterval(() => {}, 1_000)') })
  const outcome = one.clean('a')
  t.mock.timers.tick(14_999)
  assert.equal(one.stats().threads, 1)
  t.mock.timers.tick(1)
  assert.deepEqual(await outcome, refusedByPool('a worker of the sanitizer did not start in time'))
  assert.equal(one.stats().threads, 0)
})

test('the time in which a worker comes up is not taken from its documents', async () => {
  const one = pool({
    workerUrl: worker(`Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);${obedient}`),
  })
  assert.deepEqual(await one.clean('a'), { clean: 'clean a' })
  assert.equal(one.stats().replaced, 0)
})

// Else somebody who breaks the worker's protocol once is heard for ever.
test('what an ended worker still says is not heard', async (t) => {
  const started = startedIn(t)
  const early = worker(`const { parentPort } = require('node:worker_threads')
    parentPort.postMessage({ id: 0, clean: 'before it was ready' })
    parentPort.postMessage({ ready: true })
    parentPort.on('message', () => {})`)
  const one = pool({ workerUrl: early })
  const lost = refusedByPool('a worker of the sanitizer lost count')
  assert.deepEqual(await one.start(), lost)
  await once(started[0] ?? process, 'exit')
  assert.deepEqual(await one.clean('a'), lost)
  assert.equal(started.length, 1)
})

test('a worker is idle for five minutes before it ends, and never while it works', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const one = pool({ timeLimit: 60_000 })
  await one.start()
  t.mock.timers.tick(299_999)
  const outcome = one.clean('nothing')
  t.mock.timers.tick(59_999)
  assert.deepEqual(one.stats(), { threads: 1, waiting: 0, replaced: 0 })
  t.mock.timers.tick(1)
  assert.equal(kind(await outcome), 'time')
  assert.equal(one.stats().replaced, 1)
  assert.deepEqual(await one.clean('a'), { clean: 'clean a' })
  t.mock.timers.tick(299_999)
  assert.equal(one.stats().threads, 1)
  t.mock.timers.tick(1)
  assert.deepEqual(one.stats(), { threads: 0, waiting: 0, replaced: 1 })
})

test('a worker that is not needed ends, though another one is', async (t) => {
  const started = startedIn(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const two = pool({ threads: 2 })
  const many = cleanAll(
    two,
    Array.from({ length: 17 }, () => 'a'),
  )
  await new Promise((resolve) => process.nextTick(resolve))
  assert.equal(started.length, 2)
  await Promise.all(started.map((made) => once(made, 'message')))
  await many
  t.mock.timers.tick(200_000)
  assert.equal(two.stats().threads, 2)
  await two.clean('a')
  t.mock.timers.tick(100_000)
  assert.equal(two.stats().threads, 1)
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

test('a thread more is started only for more than the others can take at once', async () => {
  for (const [documents, threads] of [
    [16, 1],
    [17, 2],
    [32, 2],
    [33, 3],
  ] as const) {
    const one = pool({ threads: 3 })
    for (let index = 0; index < documents; index++) void one.clean('a')
    assert.equal(one.stats().threads, threads, `${documents}`)
    await one.close()
  }
})

test('a document does not wait for another one while there may be a second thread', async () => {
  const two = pool({ threads: 2, timeLimit: 20_000 })
  await two.start()
  void two.clean('hang')
  assert.deepEqual(await two.clean('a'), { clean: 'clean a' })
  assert.equal(two.stats().threads, 2)
})

const long = (text: string) => text.padEnd(4_097)

// Two sessions that send what takes long would otherwise have both threads, and everybody else waits.
test('of several threads one is never at a long document', async () => {
  for (const threads of [2, 3]) {
    const some = pool({ threads, timeLimit: 20_000 })
    await some.start()
    for (let n = 0; n < 4; n++) void some.clean(long(`hang ${n}`), `mallory ${n}`)
    // More than one message carries.
    const many = Array.from({ length: 40 }, (_, n) => `${n}`)
    assert.equal((await cleanAll(some, many)).length, 40)
    await until(() => some.stats().waiting === 4 - (threads - 1), 'the others are at long ones')
    assert.deepEqual(await some.clean('a'), { clean: 'clean a' })
    assert.deepEqual(some.stats(), { threads, waiting: 4 - (threads - 1), replaced: 0 })
    await some.close()
  }
})

// Else a short document waits for jsdom, on a machine that is busy with the long ones.
test('a long document waits until there is a thread for the short ones', async (t) => {
  const { path } = moduleIn(t)
  const two = pool({ threads: 2, timeLimit: 20_000, workerUrl: worker(secondWhen(`${path}.first`, path)) })
  await two.start()
  const outcome = two.clean(long('a'))
  assert.deepEqual(two.stats(), { threads: 2, waiting: 1, replaced: 0 })
  assert.deepEqual(await two.clean('b'), { clean: 'clean b' })
  assert.deepEqual(two.stats(), { threads: 2, waiting: 1, replaced: 0 })
  writeFileSync(path, '')
  assert.deepEqual(await outcome, { clean: `clean ${long('a')}` })
})

/** The first of these threads comes up at once, the others when they may. */
const secondWhen = (first: string, may: string) => `
const { existsSync, mkdirSync } = require('node:fs')
try { mkdirSync(${JSON.stringify(first)}) } catch { while (!existsSync(${JSON.stringify(may)})); }
${obedient}`

test('near misses: the only thread there may be, or can be, takes long documents', async (t) => {
  const one = pool()
  assert.deepEqual(await one.clean(long('a')), { clean: `clean ${long('a')}` })
  const { path } = moduleIn(t)
  writeFileSync(path, '')
  const two = pool({ threads: 2, workerUrl: worker(onlyOne(`${path}.first`, path)) })
  await two.start()
  assert.deepEqual(await two.clean(long('a')), { clean: `clean ${long('a')}` })
  assert.equal(two.stats().threads, 1)
})

test('no thread is kept where all documents are short, and a long one is of 4,097 units', async () => {
  const two = pool({ threads: 2 })
  await cleanAll(two, ['a', 'x'.repeat(4_096)])
  assert.equal(two.stats().threads, 1)
  await two.clean(long('a'))
  assert.equal(two.stats().threads, 2)
})

test('a long document that waits gets the thread of the one before it', async () => {
  const two = pool({ threads: 2, timeLimit: 1_500 })
  const outcomes = await cleanAll(two, [long('wait'), long('hang'), long('a'), 'b', long('c')])
  assert.deepEqual(outcomes.map(kind), ['clean', 'time', 'clean', 'clean', 'clean'])
})

test('what a broken worker leaves behind does not wait for the other one', async () => {
  const two = pool({ threads: 2, timeLimit: 20_000 })
  await two.start()
  void two.clean('hang')
  assert.deepEqual((await cleanAll(two, ['exit', 'b'])).map(kind), ['worker', 'clean'])
})

test('unless told otherwise, the workers are those of this package', async () => {
  const { workerUrl: _, ...ordinary } = defaults
  const one = createWorkerPool({ ...ordinary, timeLimit: 20_000 })
  pools.push(one)
  assert.deepEqual(await one.clean('<b onclick="c()">a'), { clean: '<b>a</b>' })
})

test('whoever waits for a worker waits for the same one', async () => {
  const two = pool({ threads: 2 })
  assert.deepEqual(await Promise.all([two.start(), two.start()]), [{ clean: '' }, { clean: '' }])
  assert.equal(two.stats().threads, 1)
  assert.deepEqual(await two.start(), { clean: '' })
})

/** How many documents came in one message with each of these, which all were there when the worker came up. */
async function batches(dirty: readonly number[], threads = 1): Promise<string> {
  const telling = obedient.replace(`'clean ' + dirty`, 'String(questions.length)')
  const outcomes = await cleanAll(
    pool({ threads, workerUrl: worker(telling) }),
    dirty.map((length) => 'x'.repeat(length)),
  )
  return outcomes.map((outcome) => ('clean' in outcome ? outcome.clean : outcome.refused)).join(' ')
}

// A long document at the front of a message would let the short ones behind it wait for their answers.
test('sixteen short documents go in one message, as far as they are one together, and long ones alone', async () => {
  const small = Array.from({ length: 20 }, () => 1)
  assert.equal(await batches(small), `${'16 '.repeat(16)}4 4 4 4`)
  assert.equal(await batches([2_048, 2_048]), '2 2')
  assert.equal(await batches([2_048, 2_049]), '1 1')
  assert.equal(await batches([20_000, 1, 1]), '1 2 2')
  assert.equal(await batches([1, 1, 20_000]), '2 2 1')
  assert.equal(await batches([20_000, 20_000]), '1 1')
  // Half of what waits is left to the thread that may be next.
  assert.equal(await batches([1, 1, 1, 1], 2), '2 2 1 1')
})

test('what has waited too long is refused unread, and harms nobody behind it', async (t) => {
  const clock = clockIn(t)
  const one = pool({ idle: 20, timeLimit: 2_000 })
  const stale = one.clean('exit')
  clock.now += 1
  const late = one.clean('a')
  // Fifteen seconds, and ten times the limit of one document.
  clock.now += 35_000
  assert.deepEqual(await stale, refusedByPool('waited too long for the sanitizer'))
  assert.deepEqual(await late, { clean: 'clean a' })
  // With nothing left to do, the worker is idle.
  await until(() => one.stats().threads === 0, 'it ends')
  const alone = one.clean('hang')
  clock.now += 35_001
  assert.equal(kind(await alone), 'pool')
  await until(() => one.stats().threads === 0, 'it ends again')
  assert.equal(one.stats().replaced, 0)
})

const source = JSON.stringify(new URL('../../src/sanitizing/worker-pool.ts', import.meta.url).href)
const fresh = `import { createWorkerPool } from ${source}
  const options = ${JSON.stringify({ ...defaults, timeLimit: 60_000, workerUrl: undefined })}
  const fresh = (code) => createWorkerPool({ ...options, workerUrl: new URL(code) })`
async function outputOf(program: string): Promise<string> {
  const flags = ['--no-deprecation', '--input-type=module', '-e', `${fresh}\n${program}`]
  const env = { ...process.env, SECRET: 'of the program' }
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env, timeout: 120_000 })
  return stdout.trim()
}

// A thread that reads hostile documents has no use for secrets, nor for modules that the program preloads.
test('a worker gets the profile, a bounded heap, and nothing of the program', async () => {
  const telling = worker(`const { parentPort, resourceLimits, threadName, workerData } = require('node:worker_threads')
    const { env, execArgv } = process
    const heap = resourceLimits.maxOldGenerationSizeMb
    const told = JSON.stringify({ env, execArgv, heap, threadName, workerData })
    parentPort.on('message', ([{ id }]) => parentPort.postMessage({ id, clean: told }))
    parentPort.postMessage({ ready: true })`)
  const told = await outputOf(`console.log((await fresh(${JSON.stringify(telling.href)}).clean('a')).clean)`)
  const threadName = 'fastify-secure-ws sanitizer'
  const expected = { env: {}, execArgv: [], heap: 256, threadName, workerData: { profile } }
  assert.deepEqual(JSON.parse(told), JSON.parse(JSON.stringify(expected)))
})

// Its time limit and idle time are far longer than this test waits.
test('a program lives as long as its documents are underway, and no longer', async () => {
  const obeying = JSON.stringify(worker(obedient).href)
  assert.equal(
    await outputOf(`const one = fresh(${obeying})
      await one.start()
      for (const text of ['a', 'wait']) console.log((await one.clean(text)).clean)
      await new Promise((resolve) => setTimeout(resolve, 50))
      console.log((await one.clean('b')).clean)
      const closed = [fresh(${obeying}), fresh(${obeying})]
      await closed[0].start()
      const hanging = closed.map((one) => one.clean('hang'))
      await Promise.all(closed.map((one) => one.close()))
      for (const { refused } of await Promise.all(hanging)) console.log(refused)`),
    ['clean a', 'clean wait', 'clean b', 'the sanitizer is closed', 'the sanitizer is closed'].join('\n'),
  )
})

test('closing waits until every thread has ended, also one that was given up before', async (t) => {
  const started = startedIn(t)
  const one = pool({ timeLimit: 50 })
  assert.equal(kind(await one.clean('hang')), 'time')
  assert.equal(started.length, 2)
  await one.close()
  // Node gives a thread that has ended this number.
  assert.deepEqual(
    started.map(({ threadId }) => threadId),
    [-1, -1],
  )
})

test('closing refuses what waits, ends the threads, and stays closed', async () => {
  const one = pool({ timeLimit: 20_000 })
  await one.start()
  const waiting = ['hang', 'a', 'b'].map((dirty) => one.clean(dirty))
  await one.close()
  const closed = refusedByPool('the sanitizer is closed')
  assert.deepEqual(await Promise.all(waiting), [closed, closed, closed])
  assert.deepEqual(one.stats(), { threads: 0, waiting: 0, replaced: 0 })
  assert.deepEqual(await one.clean('c'), closed)
  assert.deepEqual(await one.start(), closed)
})
