import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs from '../../src/index.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'

// A content security policy that arrives with a plugin for sockets would switch a page's own scripts off without a word.
test('a page with an inline script on another route works, and its socket opens', async (t) => {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false })
  app.get('/', (_request, reply) =>
    reply.type('text/html').send(`<!doctype html><title>new</title><script>
      new WebSocket('ws://' + location.host + '/ws').onmessage = ({ data }) => { document.title = data }
    </script>`),
  )
  app.get('/ws', { websocket: true }, (socket) => socket.send('the script ran'))
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('127.0.0.1', 'localhost')
  const refused = await fetch(`${url}/ws`)
  assert.equal(refused.status, 426)
  assert.match(refused.headers.get('content-security-policy') ?? '', /script-src 'self'/)

  const browser = await startBrowser()
  t.after(() => browser.close())
  const page = await (await newPerson(browser)).newPage()
  await page.goto(url)
  await page.waitForFunction(`document.title === 'the script ran'`, undefined, { timeout: 10_000 })
})
