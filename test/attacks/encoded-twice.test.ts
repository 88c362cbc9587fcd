import assert from 'node:assert/strict'
import { test } from 'node:test'
import { html } from '../../src/index.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// A page that shows `&lt;` is made to decode once more, and then `&lt;script&gt;` that a user has typed is a script.
test('a route that sends encoded text is warned of in development, once, and explain() shows it', async (t) => {
  const text = { type: 'object', properties: { text: { type: 'string' } } }
  const sends = { said: { schema: text } }
  const what: Record<string, unknown> = {
    '/text': 'Tom &amp; Jerry',
    '/value': { type: 'said', list: [{ text: 'a &lt;b&gt;' }] },
    '/declared': { type: 'said', text: 'it&#39;s' },
    // Near misses: markup by right, an ampersand, a name that only looks like one, and a route that encodes nothing as HTML.
    '/markup': { type: 'said', text: html`<b>${'Tom & Jerry'}</b>` },
    '/plain': { type: 'said', text: 'Tom & Jerry; &lty; a&b;' },
    '/json': { type: 'said', text: 'Tom &amp; Jerry' },
  }
  const server = await startServer(t, {}, (app) => {
    for (const [path, value] of Object.entries(what)) {
      const options = path === '/json' ? { encode: 'json' as const } : path === '/declared' ? { sends } : {}
      app.get(path, { websocket: true, secureWs: options }, (socket) => {
        for (let n = 0; n < 3; n++) Reflect.apply(socket.send, socket, [value])
      })
    }
  })
  for (const path of Object.keys(what)) {
    const peer = await server.connect({ path })
    await until(() => peer.texts.length === 3, `${path} was heard`)
  }
  const warned = server.logged.filter((line) => line.includes('decodes twice')).map((line) => JSON.parse(line).msg)
  const paths = ['/text', '/value', '/declared']
  assert.deepEqual(warned.map((line) => line.split(' ')[0]).sort(), [...paths].sort())
  assert.ok(!warned.join('').includes('Tom'))
  const explained = server.app.secureWs.explain().map((route) => Object(route))
  const shown = explained.filter(({ encodedTwice }) => encodedTwice === true).map(({ route }) => route)
  assert.deepEqual(shown.sort(), [...paths].sort())
})
