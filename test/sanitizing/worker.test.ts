import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { compileProfile } from '../../src/sanitizing/profile.ts'
import type { Answer } from '../../src/sanitizing/worker-pool.ts'

// jsdom holds the nodes of every call until the macrotask ends: about a megabyte for each of these. In one batch without turns of
// the loop in between, this heap is full before the last of them.
test('the heap of a worker stays bounded within a batch of any length', async () => {
  const worker = new Worker(new URL('../../src/sanitizing/worker.ts', import.meta.url), {
    workerData: { profile: compileProfile('basic', 'x') },
    resourceLimits: { maxOldGenerationSizeMb: 72 },
  })
  await once(worker, 'message')
  const count = 150
  const paragraph = '<p>Some <b>bold</b> and <a href="https://example.org/">linked</a> text.</p>'
  const answered = new Promise<number>((resolve, reject) => {
    let clean = 0
    worker.on('message', (answer: Answer) => {
      if ('clean' in answer) clean += 1
      if ('id' in answer && answer.id === count - 1) resolve(clean)
    })
    worker.on('error', reject)
  })
  worker.postMessage(Array.from({ length: count }, (_, id) => ({ id, dirty: `${paragraph.repeat(30)}${id}` })))
  try {
    assert.equal(await answered, count)
  } finally {
    await worker.terminate()
  }
})
