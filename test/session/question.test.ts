import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { answerWithin, isSilence } from '../../src/session/question.ts'

/** The whole process stands still, as when the machine does not run it. */
function standStill(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('a question that nobody answers ends; so does one that throws', async (t) => {
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
  await assert.rejects(
    answerWithin(20, () => new Promise(() => {})),
    isSilence,
  )
  await assert.rejects(
    answerWithin(20, () => {
      throw new Error('away')
    }),
    /away/,
  )
  assert.equal(await answerWithin(20, () => 1), 1)
})

// Class C6: judged before it was read. The timer is due when the process goes on, and so is the answer, which comes after it.
test('C6 an answer that came while the process stood still is heard', async () => {
  const asked = answerWithin(200, async () => (await readFile(import.meta.filename)).length)
  standStill(500)
  assert.ok((await asked) > 0)
})

test('C6 silence is silence, whether or not the process stood still', async (t) => {
  // The timer of a question keeps no process alive.
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
  const since = performance.now()
  const asked = answerWithin(30, () => new Promise(() => {}))
  standStill(100)
  await assert.rejects(asked, isSilence)
  assert.ok(performance.now() - since < 20_000)
})
