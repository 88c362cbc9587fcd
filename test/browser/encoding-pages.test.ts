import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { createExamples, pages, said } from '../../docs/examples/server.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'

// The pages of docs/encoding.md, each with the encoding that the table says.

const encoded = await createExamples()
const careless = await createExamples('none')
let browser: Browser
let person: BrowserContext
const addresses = new Map<typeof encoded, string>()

before(async () => {
  for (const app of [encoded, careless]) {
    const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
    addresses.set(app, `http://localhost:${port}`)
  }
  browser = await startBrowser()
  person = await newPerson(browser)
})

after(async () => {
  await browser?.close()
  await Promise.all([encoded.close(), careless.close()])
})

async function open(app: typeof encoded, name: string): Promise<Page> {
  const page = await person.newPage()
  await page.goto(`${addresses.get(app)}/${name}`)
  await page
    .locator('li')
    .nth(said.length - 1)
    .waitFor()
  return page
}

for (const name of pages) {
  test(`${name}: what was said is read as it was said, and runs nothing`, async () => {
    const page = await open(encoded, name)
    assert.deepEqual(await page.locator('li').allTextContents(), [...said])
    assert.equal(await page.locator('li *').count(), 0)
    assert.equal(await page.evaluate('window.owned'), undefined)
    await page.close()
  })
}

for (const name of pages.filter((page) => page.endsWith('inner-html'))) {
  test(`${name}: the control: without an encoder the same page runs it`, async () => {
    const page = await open(careless, name)
    await page.waitForFunction('window.owned === true')
    await page.close()
  })
}

/** A browser that has no sanitizer of its own yet. */
async function withoutSetHTML(app: typeof encoded): Promise<Page> {
  const page = await person.newPage()
  await page.addInitScript(() => Reflect.deleteProperty(Element.prototype, 'setHTML'))
  await page.goto(`${addresses.get(app)}/trusted-types`)
  await page
    .locator('li')
    .nth(said.length - 1)
    .waitFor()
  return page
}

test('trusted-types: markup comes in by the policy where the browser has no setHTML, and by nothing else', async () => {
  const page = await withoutSetHTML(encoded)
  assert.deepEqual(await page.locator('li').allTextContents(), [...said])
  assert.equal(await page.evaluate('window.owned'), undefined)
  const bare = page.evaluate(() => {
    document.body.innerHTML = '<p>'
  })
  await assert.rejects(bare, /TrustedHTML/)
  await assert.rejects(
    page.evaluate(() => void Reflect.get(globalThis, 'trustedTypes').createPolicy('other', {})),
    /[Pp]olicy/,
  )
  await page.close()
})

test('trusted-types: the control: a policy does not clean, the server does', async () => {
  const page = await withoutSetHTML(careless)
  await page.waitForFunction(() => Reflect.get(globalThis, 'owned') === true)
  await page.close()
})

test('trusted-types: setHTML is a second fence, where there is one', async () => {
  const page = await open(careless, 'trusted-types')
  if (await page.evaluate(() => 'setHTML' in Element.prototype)) {
    await page.waitForTimeout(200)
    assert.equal(await page.evaluate('window.owned'), undefined)
  } else await page.waitForFunction(() => Reflect.get(globalThis, 'owned') === true)
  await page.close()
})
