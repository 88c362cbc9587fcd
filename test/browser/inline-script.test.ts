import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { cookieSession, type Session } from '../../src/index.ts'
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
  await page.waitForFunction(`document.title === 'the script ran'`, undefined, { timeout: 30_000 })
})

test('plain http on localhost: the session cookie is kept, and sent with the socket; nothing is loosened for it', async (t) => {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const sessions = new Map<string, Session>([['s1', { id: 's1', userId: 'ada' }]])
  const authenticate = cookieSession({
    secret: 'a secret that is long enough for a test',
    load: (id) => sessions.get(id),
  })
  await app.register(secureWs, { authenticate })
  app.get('/', (_request, reply) => reply.type('text/html').send('<!doctype html><title>page</title>'))
  app.post('/sign-in', async (_request, reply) => {
    authenticate.setSessionCookie(reply, 's1')
    return 'in'
  })
  app.get(
    '/me',
    { preHandler: app.secureWs.requireSession },
    async (request) => (await app.secureWs.session(request))?.userId,
  )
  app.get('/ws', { websocket: true }, (socket) => socket.send(`hello ${socket.session?.userId}`))
  const port = new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port

  const browser = await startBrowser()
  t.after(() => browser.close())
  const page = await (await newPerson(browser)).newPage()
  const attempt = async (origin: string): Promise<unknown> => {
    await page.goto(origin)
    return page.evaluate(`(async () => {
      const before = (await fetch('/me')).status
      await fetch('/sign-in', { method: 'POST' })
      const after = (await fetch('/me')).status
      return new Promise((resolve) => {
        const socket = new WebSocket('ws://' + location.host + '/ws')
        socket.onmessage = ({ data }) => resolve([before, after, data])
        socket.onclose = ({ code }) => resolve([before, after, code])
      })
    })()`)
  }
  assert.deepEqual(await attempt(`http://localhost:${port}`), [401, 200, 'hello ada'])
})
