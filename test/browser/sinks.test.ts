import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import Fastify from 'fastify'
import type { Browser, Page } from 'playwright-core'
import secureWs from '../../src/index.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'
import { testCertificate } from '../harness/certificate.ts'
import { until } from '../harness/until.ts'
import { type Payload, payloads } from './payloads.ts'
import { type Sink, sinks } from './sinks.ts'

// The encoders before the one judge that counts: a browser gets each attack over a socket, puts it where it would hurt,
// and touches everything that it finds there. First without the encoders, because an attack that does nothing then
// proves nothing later.

const leaks = new Set<number>()
let browser: Browser
let page: Page

/** All of them where they are encoded; where they are not, those that run there. */
function askedFor(sink: string, route: 'html' | 'json' | 'none'): readonly Payload[] {
  return route === 'none' ? payloads.filter(({ runsIn }) => runsIn.includes(sink)) : payloads
}

const app = Fastify({ https: await testCertificate(), forceCloseConnections: true })
await app.register(secureWs, {
  authenticate: false,
  // Stands in the way of most of this, too; here the encoding stands alone.
  helmet: { contentSecurityPolicy: false },
})

for (const encode of ['html', 'json', 'none'] as const) {
  app.get(`/${encode}`, { websocket: true, secureWs: { encode } }, (socket) => {
    socket.on('message', (name) => {
      const sink = sinks.find((each) => each.name === String(name))
      assert.ok(sink)
      for (const { text } of askedFor(sink.name, encode)) {
        // What the encoder refuses is never on the wire.
        socket.send(encode === 'none' ? sink.careless(text) : (sink.encode(text) ?? 'refused'))
      }
    })
  })
}

app.get('/', async (_request, reply) => {
  return reply.type('text/html').send(await readFile(new URL('sinks.html', import.meta.url)))
})
app.get<{ Params: { id: string } }>('/leak/:id', (request) => {
  leaks.add(Number(request.params.id))
  return ''
})

before(async () => {
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  browser = await startBrowser()
  page = await (await newPerson(browser)).newPage()
  await page.goto(`https://localhost:${new URL(address).port}/`)
})

after(async () => {
  await browser?.close()
  await app.close()
})

/** Gets one frame for each payload from a route, and puts them in their places. */
async function fill(
  { name, around, before, after }: Sink,
  route: 'html' | 'json' | 'none',
  encodedFor = name,
): Promise<void> {
  await page.evaluate('clear()')
  leaks.clear()
  const place = JSON.stringify({ name, around, before, after })
  const count = askedFor(name, route).length
  await page.evaluate(
    `ask('${route}', ${JSON.stringify(encodedFor)}, ${count}).then((texts) => put(texts, ${place}, ${route !== 'none'}))`,
  )
}

/** The ids that were called so far, and those whose address was asked for. */
async function hits(): Promise<Set<number>> {
  return new Set([...(await page.evaluate<number[]>('[...hits]')), ...leaks])
}

let waits = 0

/** Waits until every kind of attack, made bare and last, has run: those made before had their chance then. */
async function waitForTheSlowest(): Promise<void> {
  waits += 1
  const slow = payloads.filter(({ family }) => family === 'element, as it is')
  const texts = slow.map(({ id, text }) => text.replaceAll(`__hit(${id})`, `__hit(${-id})`))
  // Another address each time: what is in the cache is not asked for again.
  const all = JSON.stringify([...texts, `<p style="background:url(/leak/${-waits})">x</p>`])
  await page.evaluate(`put(${all}, { name: 'innerHTML' }, true)`)
  let missing: unknown
  const allRan = async () => {
    const found = await hits()
    missing = slow.find(({ id }) => !found.has(-id)) ?? (leaks.has(-waits) ? undefined : 'the request')
    return missing === undefined
  }
  await until(allRan, 'every kind of attack had its time').catch(() => assert.equal(missing, undefined))
}

test('there are as many attacks as promised', () => {
  assert.ok(payloads.length >= 300, String(payloads.length))
})

for (const sink of sinks) {
  const attacks = askedFor(sink.name, 'none')

  test(`the control: without an encoder ${attacks.length} attacks run in ${sink.name}`, async () => {
    assert.ok(attacks.length >= 8)
    await fill(sink, 'none')
    let idle = attacks
    const allRan = async () => {
      const found = await hits()
      idle = attacks.filter(({ id }) => !found.has(id))
      return idle.length === 0
    }
    await until(allRan, 'they ran').catch(() => assert.deepEqual(idle, []))
  })

  test(`OU-08 nothing runs in ${sink.name} that was encoded as documented, and the text is the same`, async () => {
    await fill(sink, sink.route)
    const read = await page.evaluate<unknown[]>(`read(${JSON.stringify(sink.read)})`)
    await waitForTheSlowest()
    const ran = [...(await hits())].filter((id) => id > 0)
    assert.deepEqual(
      payloads.filter(({ id }) => ran.includes(id)),
      [],
    )
    assert.equal(read.length, payloads.length)
    const changed = payloads.filter(({ text }, index) => read[index] !== sink.expected(text))
    assert.deepEqual(changed, [])
  })
}

test('what is encoded for JSON is the very same text in textContent', async () => {
  await page.evaluate('clear()')
  const read = await page.evaluate<string[]>(
    `ask('json', 'JSON island', ${payloads.length}).then((texts) => {
      const { body } = document.body.appendChild(document.createElement('iframe')).contentDocument
      return texts.map((text) => {
        const element = body.appendChild(document.createElement('p'))
        element.textContent = JSON.parse(text).text
        return element.textContent
      })
    })`,
  )
  await waitForTheSlowest()
  assert.deepEqual(
    read,
    payloads.map(({ text }) => text),
  )
  assert.deepEqual(
    [...(await hits())].filter((id) => id > 0),
    [],
  )
})

// Entities are undone before a URL, a page in an attribute, or a style is looked at; in a script they are never undone.
// So the default encoding, which is right in the five places above, is wrong in these, and this is how it looks.
for (const name of ['href, whole', 'srcdoc', 'template literal', 'inline style, bare']) {
  test(`the near miss: the encoding for HTML does not help in ${name}`, async () => {
    const sink = sinks.find((each) => each.name === name)
    assert.ok(sink)
    await fill(sink, 'html', 'element content')
    await until(async () => [...(await hits())].some((id) => id > 0), 'an attack ran')
  })
}
