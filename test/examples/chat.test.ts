import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newPerson, startBrowser } from '../harness/browser.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { startExample } from './example.ts'

async function signIn(url: string, name: string): Promise<string> {
  const answer = await fetch(`${url}/sign-in`, { method: 'POST', body: name })
  assert.equal(answer.status, 200)
  return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

// http://localhost is no TLS. Chromium counts it as trustworthy, and so keeps a cookie that is `Secure` and `__Host-`.
test('the first example works in a browser on http://localhost, in two tabs', async (t) => {
  const { url } = await startExample(t, 'chat.mjs')
  const browser = await startBrowser()
  t.after(() => browser.close())
  const people = await Promise.all(
    ['Ada', '<b>Grace</b>'].map(async (name) => {
      const person = await newPerson(browser)
      const page = await person.newPage()
      page.on('dialog', (dialog) => dialog.accept(name))
      const [socket] = await Promise.all([page.waitForEvent('websocket'), page.goto(url)])
      assert.equal(socket.url(), `${url.replace('http', 'ws')}/chat`)
      return { person, page, socket }
    }),
  )
  const [ada, grace] = people
  assert.ok(ada && grace)
  await grace.page.waitForFunction('document.querySelector("script") !== null')
  await ada.page.locator('#say').fill('<img src=x onerror="window.owned=1">')
  // A socket that is not open yet throws at `send`: try until the line is there.
  await grace.page.waitForTimeout(300)
  await ada.page.locator('#say').press('Enter')
  await grace.page.getByText('Ada: <img src=x onerror="window.owned=1">').waitFor({ timeout: 30_000 })
  await grace.page.locator('#say').fill('hello')
  await grace.page.locator('#say').press('Enter')
  await ada.page.getByText('<b>Grace</b>: hello').waitFor({ timeout: 30_000 })
  assert.equal(await grace.page.evaluate('window.owned'), undefined)
  assert.equal((await ada.person.cookies())[0]?.name, '__Host-session')
})

test('the first example refuses other pages, strangers and forged cookies', async (t) => {
  const { url } = await startExample(t, 'chat.mjs')
  const cookie = await signIn(url, 'Ada')
  const socket = `${url.replace('http', 'ws')}/chat`
  const client = await openSocket(socket, { headers: { cookie, origin: url } })
  await client.close()
  assert.equal(await statusOf(socket, { headers: { cookie, origin: 'https://evil.example' } }), 403)
  assert.equal(await statusOf(socket, { headers: { cookie } }), 403)
  assert.equal(await statusOf(socket, { headers: { origin: url } }), 401)
  assert.equal(await statusOf(socket, { headers: { cookie: `${cookie}x`, origin: url } }), 401)
  // A name that was pointed at this machine (DNS rebinding) is no name of its loopback address, so the transport counts.
  const rebound = { origin: 'http://rebound.example', host: 'rebound.example' }
  assert.equal(await statusOf(socket, { headers: { cookie, ...rebound } }), 426)
})
