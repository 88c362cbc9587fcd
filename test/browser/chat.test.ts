import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { type Demo, startDemo } from '../../demo/demo.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'
import { requireBuild } from '../harness/built.ts'

// The demo, as somebody in front of a browser meets it: real TLS, real cookies, a real cross-origin page.

let demo: Demo
let browser: Browser

before(async () => {
  requireBuild()
  // One after the other: what `after` is to close must be known, whichever of the two fails.
  browser = await startBrowser()
  demo = await startDemo({ port: 0, attackerPort: 0 })
})

after(async () => {
  await browser?.close()
  await demo?.close()
})

async function signIn(
  name: string,
  options: BrowserContextOptions = {},
  { moderator = false, chat = demo.chat } = {},
): Promise<{ page: Page; person: BrowserContext }> {
  const person = await newPerson(browser, options)
  person.setDefaultTimeout(30_000)
  const page = await person.newPage()
  await page.goto(chat)
  await page.getByLabel('Your name').fill(name)
  if (moderator) await page.getByLabel('as a moderator').check()
  await page.getByRole('button', { name: 'Sign in' }).click()
  await connected(page)
  return { page, person }
}

function connected(page: Page): Promise<unknown> {
  return page.getByText(/connected over wss?$/).waitFor()
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
}

const lineWith = (page: Page, text: string) => page.locator('#messages li').filter({ hasText: text })
const eventWith = (page: Page, ...texts: string[]) =>
  texts.reduce((found, text) => found.filter({ hasText: text }), page.locator('#events li'))

test('two people sign in and talk', async (t) => {
  const ada = await signIn('Ada')
  t.after(() => ada.person.close())
  // Alone, and told of it: she is in the room before anybody is told that she came.
  await lineWith(ada.page, 'Ada came in').waitFor()
  assert.equal(await ada.page.locator('#present').textContent(), 'Ada')
  const grace = await signIn('Grace')
  t.after(() => grace.person.close())
  await lineWith(ada.page, 'Grace came in').waitFor()
  await lineWith(grace.page, 'Grace came in').waitFor()

  await say(ada.page, 'hello & welcome')
  await lineWith(grace.page, 'Ada hello & welcome').waitFor()
  await say(grace.page, 'thank you')
  await lineWith(ada.page, 'Grace thank you').waitFor()
  assert.equal(await ada.page.locator('#present').textContent(), 'Ada, Grace')

  await grace.person.close()
  await lineWith(ada.page, 'Grace left').waitFor()
})

test('the cookie is out of reach of scripts and of other sites', async (t) => {
  const { page, person } = await signIn('Ada')
  t.after(() => person.close())
  const [cookie, ...others] = await person.cookies()
  assert.equal(others.length, 0)
  assert.equal(cookie?.name, '__Host-session')
  assert.deepEqual(
    { secure: cookie.secure, httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, path: cookie.path },
    { secure: true, httpOnly: true, sameSite: 'Strict', path: '/' },
  )
  assert.equal(await page.evaluate('document.cookie'), '')
})

// Cross-site WebSocket hijacking: any page may open a socket to any server, and the browser adds the cookie.
//     new WebSocket('wss://localhost:8443/chat')      on https://127.0.0.1:8444
test('CS-5 a page of another site cannot open the socket', async (t) => {
  const { page, person } = await signIn('Ada')
  t.after(() => person.close())
  const [attacker] = await Promise.all([
    person.waitForEvent('page'),
    page.getByRole('link', { name: 'Attack from another site' }).click(),
  ])
  await attacker.locator('#result[data-result="refused"]').waitFor()
  await attacker.locator('#answer').filter({ hasText: 'HTTP 403' }).filter({ hasText: 'SWS_ORIGIN_REFUSED' }).waitFor()

  // Two attempts were made: by the browser, and by the attacker's server. They are one line of the panel, with their count.
  const refused = eventWith(page, 'A page of another site tried to connect', 'HTTP 403', `from ${demo.attacker}`)
  await refused.filter({ hasText: 'SWS_ORIGIN_REFUSED' }).filter({ hasText: '2 times' }).waitFor()
  assert.equal(await refused.count(), 1)
  assert.equal(await lineWith(page, 'I am not who you think I am').count(), 0)
})

// The same from the chat's own host name and another port: to SameSite that is the same site, so the cookie goes along.
test('CS-5 nor can a page of the same site, to which the cookie goes along', async (t) => {
  const { page, person } = await signIn('Ada')
  t.after(() => person.close())
  const neighbour = await person.newPage()
  const [handshake] = await Promise.all([neighbour.waitForRequest(/attacker\.js/), neighbour.goto(demo.neighbour)])
  assert.match((await handshake.allHeaders()).cookie ?? '', /__Host-session=/)
  await neighbour.locator('#result[data-result="refused"]').waitFor()
  await eventWith(page, 'A page of another site', 'HTTP 403', `from ${demo.neighbour}`).first().waitFor()

  // The near miss: the same browser, the same cookie, the right origin.
  const tab = await person.newPage()
  await tab.goto(demo.chat)
  await connected(tab)
})

// Content-Security-Policy would stop the script as well; it is switched off here, so that the encoding stands alone.
test('markup sent as a message is text, even in innerHTML and without a CSP', async (t) => {
  const ada = await signIn('Ada')
  const grace = await signIn('<b>Grace</b>', { bypassCSP: true })
  t.after(() => Promise.all([ada.person.close(), grace.person.close()]))
  const attack = '<img src=x onerror="window.owned=true">'
  await say(ada.page, attack)
  await lineWith(grace.page, attack).waitFor()
  await ada.page.getByRole('button', { name: 'Send markup' }).click()
  await lineWith(grace.page, "document.body.innerHTML = 'owned'").waitFor()
  await say(grace.page, 'my name is markup too')
  await lineWith(grace.page, '<b>Grace</b> my name is markup too').waitFor()

  assert.equal(await grace.page.locator('#messages img, #messages b, #present b').count(), 0)
  assert.equal(await grace.page.evaluate('window.owned'), undefined)

  // The control: without the encoding this very page would run it.
  await grace.page.evaluate((html) => {
    const { document } = globalThis as unknown as { document: { querySelector(name: string): { innerHTML: string } } }
    document.querySelector('#present').innerHTML = html
  }, attack)
  await grace.page.waitForFunction('window.owned === true')
})

test('what nobody declared is refused, and the socket lives', async (t) => {
  const { page, person } = await signIn('Ada')
  t.after(() => person.close())
  await page.getByRole('button', { name: 'Add a field' }).click()
  await lineWith(page, 'refused: SWS_INVALID_MESSAGE').waitFor()
  await page.getByRole('button', { name: 'Send an unknown type' }).click()
  await lineWith(page, 'refused: SWS_UNKNOWN_TYPE').waitFor()
  await page.getByRole('button', { name: 'Fifteen messages' }).click()
  // Some of the fifteen pass, and the others are one line here and one line there.
  await lineWith(page, 'refused: SWS_TOO_FAST').filter({ hasText: ' times' }).waitFor()
  await eventWith(page, 'Messages came too fast', ' times').waitFor()
  assert.equal(await lineWith(page, 'refused: SWS_TOO_FAST').count(), 1)
  assert.equal(await eventWith(page, 'Messages came too fast').count(), 1)
  await lineWith(page, 'message 1 of 15').waitFor()
  assert.equal(await page.locator('#state').getAttribute('data-state'), 'open')
})

test('CS-9 logging out in one tab closes the other one, and not other people', async (t) => {
  const ada = await signIn('Ada')
  const grace = await signIn('Grace')
  t.after(() => Promise.all([ada.person.close(), grace.person.close()]))
  const tab = await ada.person.newPage()
  await tab.goto(demo.chat)
  await connected(tab)

  await tab.getByRole('button', { name: 'Log out', exact: true }).click()
  await tab.getByRole('button', { name: 'Sign in' }).waitFor()
  await ada.page.getByText('You are logged out').waitFor()
  await ada.page.getByRole('button', { name: 'Sign in' }).waitFor()
  await lineWith(grace.page, 'Ada left').waitFor()
  assert.equal(await grace.page.locator('#state').getAttribute('data-state'), 'open')
})

test('logging out everywhere ends the second browser too', async (t) => {
  const laptop = await signIn('Ada')
  const phone = await signIn('Ada')
  const grace = await signIn('Grace')
  t.after(() => Promise.all([laptop.person.close(), phone.person.close(), grace.person.close()]))
  await laptop.page.getByRole('button', { name: 'Log out everywhere' }).click()
  await phone.page.getByText('You are logged out').waitFor()
  await phone.page.getByRole('button', { name: 'Sign in' }).waitFor()
  assert.equal(await grace.page.locator('#state').getAttribute('data-state'), 'open')
})

test('rich text stays rich, and what runs is taken out', async (t) => {
  const ada = await signIn('Ada')
  const grace = await signIn('Grace', { bypassCSP: true })
  t.after(() => Promise.all([ada.person.close(), grace.person.close()]))
  await ada.page.getByLabel('Send as').selectOption('as rich text')
  await say(ada.page, '<b>no</b> <strong>bold</strong><img src=x onerror="window.owned=true">')
  await grace.page.locator('#messages .rich strong').filter({ hasText: 'bold' }).waitFor()
  assert.equal(await grace.page.locator('#messages .rich img').count(), 0)
  assert.equal(await grace.page.evaluate('window.owned'), undefined)
})

test('a picture arrives, and a file that only says that it is one does not', async (t) => {
  const ada = await signIn('Ada')
  const grace = await signIn('Grace')
  t.after(() => Promise.all([ada.person.close(), grace.person.close()]))
  const clip = { x: 0, y: 0, width: 200, height: 100 }
  const file = ada.page.getByLabel('Picture', { exact: true })
  await file.setInputFiles({ name: 'dot.png', mimeType: 'image/png', buffer: await ada.page.screenshot({ clip }) })
  const picture = grace.page.locator('#messages img')
  await picture.waitFor()
  const width = await picture.evaluate(async (image: HTMLImageElement) => {
    while (!image.complete) await new Promise(requestAnimationFrame)
    return image.naturalWidth
  })
  assert.equal(width, 200)
  // A larger one would cost the socket (1009), so the page does not send it.
  await file.setInputFiles({ name: 'big.png', mimeType: 'image/png', buffer: Buffer.alloc(70_000) })
  await lineWith(ada.page, 'larger than 64 KiB').waitFor()
  assert.equal(await ada.page.locator('#state').getAttribute('data-state'), 'open')

  await file.setInputFiles({ name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from('<script>alert(1)</script>') })
  await lineWith(ada.page, 'refused: SWS_BINARY_REFUSED').waitFor()
  await eventWith(grace.page, 'A file that is no picture').waitFor()
  assert.equal(await picture.count(), 1)
})

test('a room and a right of moderators', async (t) => {
  const ada = await signIn('Ada')
  const eve = await signIn('Eve')
  const boss = await signIn('Boss', {}, { moderator: true })
  t.after(() => Promise.all([ada.person.close(), eve.person.close(), boss.person.close()]))

  // The attack: somebody without the right writes to the moderators, and kicks.
  await eve.page.getByLabel('Send as').selectOption('to moderators')
  await say(eve.page, 'let me in')
  await lineWith(eve.page, 'refused: SWS_FORBIDDEN').waitFor()
  assert.equal(await eve.page.getByRole('button', { name: 'Kick', exact: true }).count(), 0)
  await eve.page.getByRole('button', { name: 'Kick without' }).click()
  await lineWith(eve.page, 'refused: SWS_FORBIDDEN').filter({ hasText: '2 times' }).waitFor()

  await boss.page.getByLabel('Send as').selectOption('to moderators')
  await say(boss.page, 'watch Eve')
  await lineWith(boss.page, 'watch Eve').waitFor()
  assert.equal(await lineWith(boss.page, 'let me in').count(), 0)

  await kick(boss.page, 'Eve')
  await lineWith(eve.page, 'You were put out of the lobby').waitFor()
  await say(ada.page, 'is she gone?')
  await lineWith(boss.page, 'is she gone?').waitFor()
  await eve.page.getByLabel('Send as').selectOption('as text')
  await say(eve.page, 'I am still here')
  await lineWith(eve.page, 'refused: SWS_FORBIDDEN').filter({ hasText: '3 times' }).waitFor()
  assert.equal(await lineWith(eve.page, 'is she gone?').count(), 0)
  assert.equal(await lineWith(eve.page, 'watch Eve').count(), 0)
  assert.equal(await lineWith(ada.page, 'watch Eve').count(), 0)
  assert.equal(await lineWith(ada.page, 'I am still here').count(), 0)
  assert.equal(await ada.page.locator('#present').textContent(), 'Ada, Boss')
})

async function kick(page: Page, name: string): Promise<void> {
  await page.getByLabel('Put somebody out').fill(name)
  await page.getByRole('button', { name: 'Kick', exact: true }).click()
}

for (const width of [320, 390]) {
  test(`nothing is wider than a screen of ${width} pixels`, async (t) => {
    const person = await newPerson(browser, { viewport: { width, height: 800 } })
    t.after(() => person.close())
    const page = await person.newPage()
    // The control: this very page with something too wide on it is measured as too wide.
    await page.goto(demo.chat)
    assert.deepEqual(await tooWide(page), [])
    await page.evaluate("document.querySelector('h1').attributeStyleMap.set('width', '999px')")
    assert.notDeepEqual(await tooWide(page), [])

    await page.goto(demo.chat)
    await page.getByLabel('Your name').fill('W'.repeat(30))
    await page.getByLabel('as a moderator').check()
    await page.getByRole('button', { name: 'Sign in' }).click()
    await connected(page)
    await say(page, 'W'.repeat(200))
    await page.getByRole('button', { name: 'Fifteen messages' }).click()
    await eventWith(page, 'Messages came too fast').waitFor()
    assert.deepEqual(await tooWide(page), [])
    assert.equal(await page.locator('.badge[hidden]').filter({ visible: true }).count(), 0)
    const badges = await page.evaluate(
      "[...document.querySelectorAll('.badge')].map((one) => one.getClientRects().length)",
    )
    assert.ok(Array.isArray(badges) && badges.includes(1) && badges.every((pieces) => pieces <= 1), `${badges}`)

    for (const other of [demo.attacker, demo.neighbour]) {
      await page.goto(other)
      await page.locator('#result[data-result="refused"]').waitFor()
      await page.locator('#answer').filter({ hasText: 'SWS_ORIGIN_REFUSED' }).waitFor()
      assert.deepEqual(await tooWide(page), [])
      assert.deepEqual(await broken(page), [])
    }
    await page.evaluate("document.querySelector('#answer').textContent = 'W'.repeat(200)")
    assert.deepEqual(await broken(page), ['W'.repeat(200)])
  })
}

/** Words of the code on a page that go on in the next line, where a reader takes them for two. */
function broken(page: Page): Promise<unknown> {
  return page.evaluate(`
    [...document.querySelectorAll('pre')].flatMap(({ firstChild }) =>
      [...firstChild.data.matchAll(/\\S+/g)].filter(({ 0: word, index }) => {
        const range = document.createRange()
        range.setStart(firstChild, index)
        range.setEnd(firstChild, index + word.length)
        return range.getClientRects().length > 1
      }).map(([word]) => word))`)
}

/** Elements that reach over the right edge of the screen, and the page itself if it scrolls sideways. */
function tooWide(page: Page): Promise<unknown> {
  return page.evaluate(`
    [...document.querySelectorAll('*')]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 || one.scrollWidth > innerWidth)
      .map((one) => one.tagName + '.' + one.className)`)
}

test('plain http on localhost is the same chat, without a certificate', async (t) => {
  const plain = await startDemo({ port: 0, attackerPort: 0, plain: true })
  t.after(() => plain.close())
  assert.match(plain.chat, /^http:\/\/localhost:/)
  const { page, person } = await signIn('Ada', { ignoreHTTPSErrors: false }, { chat: plain.chat })
  t.after(() => person.close())
  await say(page, 'no warning')
  await lineWith(page, 'Ada no warning').waitFor()
  await page.goto(plain.attacker)
  await page.locator('#result[data-result="refused"]').waitFor()
  await page.locator('#answer').filter({ hasText: 'SWS_ORIGIN_REFUSED' }).waitFor()
})

test('the pages break no rule of their own Content-Security-Policy', async (t) => {
  const person = await newPerson(browser)
  t.after(() => person.close())
  const page = await person.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  const answer = await page.goto(demo.chat)
  const policy = answer?.headers()['content-security-policy'] ?? ''
  assert.match(policy, new RegExp(`connect-src 'self' wss://localhost:${new URL(demo.chat).port}(?:;|$)`))
  assert.doesNotMatch(policy, /unsafe|\*|https:(?!\/)/)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await connected(page)
  await say(page, 'hello')
  await lineWith(page, 'Ada hello').waitFor()
  assert.deepEqual(complaints, [])
  assert.doesNotMatch(await page.content(), /<script(?![^>]*\ssrc=)|\son\w+=|style=/)
})
