import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Browser } from 'playwright-core'
import secureWs, { type AuditEvent } from '../../src/index.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'
import { testCertificate } from '../harness/certificate.ts'

// CS-5, WSTG-CLNT-10: what a real browser sends from which page, and who gets in. docs/authentication.md tells what is seen here.

let browser: Browser
let app: FastifyInstance
let other: FastifyInstance
let [own, foreign, socketUrl] = ['', '', '']
const events: AuditEvent[] = []
const seen: { origin: string | undefined; fetch: string[] }[] = []

before(async () => {
  const https = await testCertificate()
  browser = await startBrowser()
  app = Fastify({ https, forceCloseConnections: true } as object)
  app.addHook('onRequest', async ({ headers }) => {
    if (headers.upgrade === undefined) return
    seen.push({ origin: headers.origin, fetch: Object.keys(headers).filter((name) => name.startsWith('sec-fetch-')) })
  })
  // The pages' own policies would keep sockets from being tried at all: it is the server that is on trial.
  await app.register(secureWs, {
    authenticate: false,
    helmet: { contentSecurityPolicy: false },
    audit: (event) => events.push(event),
  })
  app.get('/ws', { websocket: true }, (socket) => socket.send('hello'))
  const page = (_request: unknown, reply: { type(text: string): { send(text: string): unknown } }) =>
    reply.type('text/html').send('<p>page')
  app.get('/', page)
  other = Fastify({ https, forceCloseConnections: true } as object)
  other.get('/', page)
  own = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('127.0.0.1', 'localhost')
  foreign = (await other.listen({ host: '127.0.0.1', port: 0 })).replace('127.0.0.1', 'localhost')
  socketUrl = `${own.replace('https', 'wss')}/ws`
})

after(async () => {
  await browser?.close()
  await other?.close()
  await app?.close()
})

/** Runs in the page: what becomes of a socket that is opened there. */
const attempt = `(url) => new Promise((resolve) => {
  const socket = new WebSocket(url)
  socket.onmessage = ({ data }) => resolve(data)
  socket.onclose = ({ code }) => resolve('closed ' + code)
})`

const refusedAs = () => events.filter(({ type }) => type === 'handshake.refused').at(-1)

test('a page of the same origin connects', async (t) => {
  const person = await newPerson(browser)
  t.after(() => person.close())
  const page = await person.newPage()
  await page.goto(own)
  assert.equal(await page.evaluate(`(${attempt})('${socketUrl}')`), 'hello')
  assert.equal(seen.at(-1)?.origin, own)
})

for (const [name, address, origin] of [
  ['a page on another port of the same host', () => foreign, () => foreign],
  [
    'a page of another host',
    () => foreign.replace('localhost', '127.0.0.1'),
    () => foreign.replace('localhost', '127.0.0.1'),
  ],
] as const) {
  test(`CS-5 ${name} is refused`, async (t) => {
    const person = await newPerson(browser)
    t.after(() => person.close())
    const page = await person.newPage()
    await page.goto(address())
    assert.equal(await page.evaluate(`(${attempt})('${socketUrl}')`), 'closed 1006')
    assert.equal(seen.at(-1)?.origin, origin())
    assert.equal(refusedAs()?.code, 'SWS_ORIGIN_REFUSED')
    assert.equal(refusedAs()?.origin, origin())
  })
}

test('CS-5 a sandboxed frame and a data: frame on our own page are refused, a frame of the page itself connects', async (t) => {
  const person = await newPerson(browser)
  t.after(() => person.close())
  const page = await person.newPage()
  await page.goto(own)
  const script = `<script>(${attempt})(${JSON.stringify(socketUrl)}).then((said) => parent.postMessage(said, '*'))</script>`
  const framed = (attributes: Readonly<Record<string, string>>) =>
    page.evaluate(
      `new Promise((resolve) => {
        onmessage = ({ data }) => resolve(data)
        document.body.append(Object.assign(document.createElement('iframe'), ${inScript(attributes)}))
      })`,
    )
  for (const attributes of [
    { sandbox: 'allow-scripts', srcdoc: script },
    { src: `data:text/html,${encodeURIComponent(script)}` },
  ]) {
    assert.equal(await framed(attributes), 'closed 1006')
    assert.equal(seen.at(-1)?.origin, 'null')
    assert.equal(refusedAs()?.origin, 'null')
    assert.equal(refusedAs()?.code, 'SWS_ORIGIN_REFUSED')
  }
  assert.equal(await framed({ srcdoc: script }), 'hello')
  assert.equal(seen.at(-1)?.origin, own)
})

function inScript(value: object): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

// Fetch metadata can only ever be one more reason to refuse: this browser sends none with a handshake.
test('3.7.5 Chromium sends no Sec-Fetch-* header with a WebSocket handshake', () => {
  assert.ok(seen.length >= 6)
  assert.deepEqual(
    seen.flatMap(({ fetch }) => fetch),
    [],
  )
})
