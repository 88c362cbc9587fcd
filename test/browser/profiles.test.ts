import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { startBrowser } from '../harness/browser.ts'
import { documentsOf } from '../sanitizing/random-profiles.ts'
import { hasRun, runningIn, tryProfiles } from './profile-corpus.ts'

// A part of `npm run fuzz:profiles`: what own profiles admit, before the parser that counts.

let browser: Browser
before(async () => {
  browser = await startBrowser()
})
after(() => browser?.close())

test('nothing that an own profile admits runs in Chromium', async () => {
  const found = await tryProfiles(browser, 12, 9)
  assert.deepEqual(
    { running: found.running, ran: found.ran, untried: found.untried },
    { running: [], ran: false, untried: [] },
  )
  assert.ok(found.documents >= 100)
})

test('without the sanitizer most of the documents run, and Chromium says so', async () => {
  const page = await browser.newPage()
  const documents = documentsOf()
  assert.ok(documents.length >= 1_000)
  assert.ok((await runningIn(page, documents)).length > documents.length / 2)
  assert.ok(await hasRun(page))
  // Near misses: what leads elsewhere, or shows a picture.
  const fine = ['<a href="https://x/">x</a>', '<img src="data:image/png,x">', '<a title="javascript:alert(1)">x</a>']
  assert.deepEqual(await runningIn(page, fine), [])
  await page.close()
})
