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
): Promise<{ page: Page; person: BrowserContext }> {
  const person = await newPerson(browser, options)
  person.setDefaultTimeout(10_000)
  const page = await person.newPage()
  await page.goto(demo.chat)
  await page.getByLabel('Your name').fill(name)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await connected(page)
  return { page, person }
}

function connected(page: Page): Promise<unknown> {
  return page.getByText('connected over wss').waitFor()
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
  const grace = await signIn('Grace')
  t.after(() => Promise.all([ada.person.close(), grace.person.close()]))
  await lineWith(ada.page, 'Grace came in').waitFor()

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

  // Two attempts were made: by the browser, and by the attacker's server. Both are on the panel.
  const refused = eventWith(page, 'handshake.refused', 'HTTP 403', 'SWS_ORIGIN_REFUSED', `from ${demo.attacker}`)
  await refused.nth(1).waitFor()
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
  await eventWith(page, 'handshake.refused', 'HTTP 403', `from ${demo.neighbour}`).first().waitFor()

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
  await lineWith(page, 'refused: SWS_TOO_FAST').first().waitFor()
  await eventWith(page, 'message.refused', 'SWS_TOO_FAST').first().waitFor()
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

  await tab.getByRole('button', { name: 'Log out' }).click()
  await tab.getByRole('button', { name: 'Sign in' }).waitFor()
  await ada.page.getByText('You are logged out').waitFor()
  await ada.page.getByRole('button', { name: 'Sign in' }).waitFor()
  await lineWith(grace.page, 'Ada left').waitFor()
  assert.equal(await grace.page.locator('#state').getAttribute('data-state'), 'open')
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
  assert.match(policy, new RegExp(`connect-src wss://localhost:${new URL(demo.chat).port}(?:;|$)`))
  assert.doesNotMatch(policy, /unsafe|\*|https:(?!\/)/)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await connected(page)
  await say(page, 'hello')
  await lineWith(page, 'Ada hello').waitFor()
  assert.deepEqual(complaints, [])
  assert.doesNotMatch(await page.content(), /<script(?![^>]*\ssrc=)|\son\w+=|style=/)
})
