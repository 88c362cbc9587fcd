import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { compileProfile } from '../../src/sanitizing/profile.ts'
import type { Answer } from '../../src/sanitizing/thread.ts'

const workerUrl = new URL('../../src/sanitizing/secure-ws-sanitizer.ts', import.meta.url)
const profile = compileProfile('basic', 'x')

/** The worker, in a thread that tells of its windows, and in which jsdom throws when a text says so, once or twice. */
const watched = `
import { parentPort } from 'node:worker_threads'
import jsdom from ${JSON.stringify(import.meta.resolve('jsdom'))}
const { prototype } = jsdom.JSDOM
const { get } = Object.getOwnPropertyDescriptor(prototype, 'window')
let stuck = false
Object.defineProperty(prototype, 'window', {
  get() {
    if (stuck) {
      stuck = false
      throw new Error('a secret of the machine')
    }
    const window = get.call(this)
    const { close, Document } = window
    const { createNodeIterator } = Document.prototype
    parentPort.postMessage('opened')
    window.close = () => {
      parentPort.postMessage('closed')
      close()
    }
    Document.prototype.createNodeIterator = function (root, ...rest) {
      stuck = root.textContent === 'two errors'
      if (stuck || root.textContent === 'error') throw new RangeError('a secret of the document')
      if (root.textContent === 'no error') throw 'a secret of the document'
      return createNodeIterator.call(this, root, ...rest)
    }
    return window
  },
})
await import(${JSON.stringify(workerUrl.href)})`
const watchedUrl = new URL(`data:text/javascript,${encodeURIComponent(watched)}`)

type Message = Answer | 'opened' | 'closed'

/** All that comes from a worker, and a way to wait until it has answered what it was asked. It inherits the environment. */
async function startWorker(t: TestContext, url: URL, options: WorkerOptions = {}) {
  const messages: Message[] = []
  const worker = new Worker(url, { workerData: { profile }, ...options })
  t.after(() => worker.terminate())
  worker.on('message', (message: Message) => messages.push(message))
  const heard = async (isLast: (message: Message) => boolean) => {
    while (!messages.some(isLast)) await once(worker, 'message')
  }
  await heard((message) => typeof message === 'object')
  return {
    worker,
    messages,
    /** What came since the last call. */
    async ask(dirty: readonly string[]): Promise<Message[]> {
      messages.length = 0
      worker.postMessage(dirty.map((text, id) => ({ id, dirty: text })))
      await heard((message) => typeof message === 'object' && 'id' in message && message.id === dirty.length - 1)
      return [...messages]
    },
  }
}

test('a worker says that it is ready, and then one line for each document, in their order', async (t) => {
  const { messages, ask } = await startWorker(t, workerUrl)
  assert.deepEqual(messages, [{ ready: true }])
  assert.deepEqual(await ask(['<b onclick="c()">a', '<div>'.repeat(99), '<script>b']), [
    { id: 0, clean: '<b>a</b>' },
    { id: 1, refused: 'nested deeper than 100' },
    { id: 2, clean: '' },
  ])
})

// Half cleaned is not clean, and what threw may have left the window in any state: it cleans no other document.
test('a document at which the cleaner throws is refused without a word of it, and costs its window', async (t) => {
  const { ask } = await startWorker(t, watchedUrl)
  assert.deepEqual(await ask(['<b>error', '<b>a', '<b>no error', '<b>c']), [
    'closed',
    { id: 0, refused: 'the sanitizer failed: RangeError' },
    'opened',
    { id: 1, clean: '<b>a</b>' },
    'closed',
    { id: 2, refused: 'the sanitizer failed: no Error' },
    'opened',
    { id: 3, clean: '<b>c</b>' },
  ])
})

test('a window that cannot be opened costs one document, not the worker', async (t) => {
  const { ask } = await startWorker(t, watchedUrl)
  assert.deepEqual(await ask(['<b>two errors', '<b>a', '<b>c']), [
    'closed',
    { id: 0, refused: 'the sanitizer failed: RangeError' },
    { id: 1, refused: 'the sanitizer failed: Error' },
    'opened',
    { id: 2, clean: '<b>c</b>' },
  ])
})

test('a window cleans a thousand documents, and the next one gets a new window', async (t) => {
  const { messages, ask } = await startWorker(t, watchedUrl)
  assert.deepEqual(messages, ['opened', { ready: true }])
  const windowsFor = async (count: number) => {
    const heard = await ask(Array.from({ length: count }, () => '<b>a</b>'))
    return heard.filter((message) => typeof message === 'string')
  }
  assert.deepEqual(await windowsFor(1_000), [])
  assert.deepEqual(await windowsFor(1_000), ['closed', 'opened'])
  assert.deepEqual(await windowsFor(1), ['closed', 'opened'])
})

// It must not look like a worker that cleans: whoever waits for it is to hear that nothing will be cleaned here.
test('a worker in which DOMPurify does not come up says so, and ends', async (t) => {
  const config = { TRUSTED_TYPES_POLICY: { createHTML: 'no function' } }
  const { worker, messages } = await startWorker(t, workerUrl, { workerData: { profile: { name: 'own', config } } })
  worker.postMessage([{ id: 0, dirty: '<script>' }])
  await once(worker, 'exit')
  assert.deepEqual(messages, [{ unusable: 'TypeError' }])
})

test('outside of a worker thread the file says where it belongs', async () => {
  await assert.rejects(import(workerUrl.href), /runs in a worker thread only/)
})

// jsdom holds the nodes of every call until the macrotask ends: about a megabyte for each of these. In one batch without turns of
// the loop in between, this heap is full before the last of them.
test('the heap of a worker stays bounded within a batch of any length', async (t) => {
  const { ask } = await startWorker(t, workerUrl, { resourceLimits: { maxOldGenerationSizeMb: 72 } })
  const paragraph = '<p>Some <b>bold</b> and <a href="https://example.org/">linked</a> text.</p>'
  const answers = await ask(Array.from({ length: 150 }, (_, id) => `${paragraph.repeat(30)}${id}`))
  assert.equal(answers.filter((answer) => typeof answer === 'object' && 'clean' in answer).length, 150)
})
