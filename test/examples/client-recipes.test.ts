import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, type TestContext, test } from 'node:test'
import { build, type Plugin } from 'esbuild'
import fastify from 'fastify'
import type { Browser, Page } from 'playwright-core'
import { compile } from 'svelte/compiler'
import secureWs from '../../src/index.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'
import { until } from '../harness/until.ts'
import { root } from '../house/source-files.ts'

// The recipes of docs/client.md, in a page: a component that shows the state and what was said, comes back with the server, and
// leaves no connection behind when it goes.

let browser: Browser
before(async () => {
  browser = await startBrowser()
})
after(() => browser?.close())

const recipes = {
  'react-connection.mjs': `
    import { createElement, StrictMode, useEffect, useState } from 'react'
    import { createRoot } from 'react-dom/client'
    import { useConnection } from './react-connection.mjs'
    function Chat() {
      const { client, state } = useConnection('/chat', options)
      const [said, setSaid] = useState('')
      useEffect(() => client?.on('said', ({ text }) => setSaid(text)), [client])
      return createElement('p', null, state.name, ' ', said)
    }
    const page = createRoot(document.querySelector('main'))
    page.render(createElement(StrictMode, null, createElement(Chat)))
    window.leave = () => page.unmount()`,
  'vue-connection.mjs': `
    import { createApp, h, ref } from 'vue'
    import { useConnection } from './vue-connection.mjs'
    const page = createApp({
      setup() {
        const { client, state } = useConnection('/chat', options)
        const said = ref('')
        client.on('said', ({ text }) => { said.value = text })
        return () => h('p', [state.value.name, ' ', said.value])
      },
    })
    page.mount('main')
    window.leave = () => page.unmount()`,
  'svelte-connection.svelte': `
    import { mount, unmount } from 'svelte'
    import Chat from './svelte-connection.svelte'
    const page = mount(Chat, { target: document.querySelector('main'), props: { url: '/chat', options } })
    window.leave = () => unmount(page)`,
}

/** Components, by the compiler of Svelte itself. A warning of it is a mistake in the recipe. */
const svelte: Plugin = {
  name: 'svelte',
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { js, warnings } = compile(await readFile(path, 'utf8'), { filename: path, generate: 'client', dev: true })
      return { contents: js.code, warnings: warnings.map(({ message }) => ({ text: message })), loader: 'js' }
    })
  },
}

async function bundled(code: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: {
      contents: `const options = { pause: { first: 50, ceiling: 100 } };${code}`,
      resolveDir: `${root}examples`,
    },
    alias: { 'fastify-secure-ws/client': `${root}src/client/client.ts` },
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins: [svelte],
    bundle: true,
    write: false,
    format: 'esm',
  })
  assert.deepEqual(warnings, [])
  return outputFiles[0]?.text ?? ''
}

async function start(t: TestContext, script: string, port = 0) {
  const app = fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false })
  const said = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
  app.get('/chat', { websocket: true, secureWs: { sends: { said: { schema: said } } } }, (socket) =>
    socket.send({ type: 'said', text: 'hello' }),
  )
  app.get('/', (_request, reply) =>
    reply.type('text/html').send('<!doctype html><main></main><script type="module" src="/page.js"></script>'),
  )
  app.get('/page.js', (_request, reply) => reply.type('text/javascript').send(script))
  await app.listen({ host: '127.0.0.1', port })
  return { app, port: Number(new URL(app.listeningOrigin).port) }
}

const shows = (page: Page, text: string) =>
  page.locator('main').getByText(text, { exact: true }).waitFor({ timeout: 30_000 })

for (const [name, code] of Object.entries(recipes)) {
  test(`${name}: shows, comes back, and leaves nothing behind`, async (t) => {
    const script = await bundled(code)
    const first = await start(t, script)
    const person = await newPerson(browser)
    t.after(() => person.close())
    const page = await person.newPage()
    const failed: unknown[] = []
    page.on('pageerror', (error) => failed.push(error))
    await page.goto(`http://localhost:${first.port}/`)
    await shows(page, 'open hello')
    await until(() => first.app.secureWs.sockets().length === 1, 'strict mode has left one')
    await first.app.close()
    await shows(page, 'waiting hello')
    const second = await start(t, script, first.port)
    await shows(page, 'open hello')
    await page.evaluate('leave()')
    await until(() => second.app.secureWs.sockets().length === 0, 'its connection has gone')
    assert.equal(await page.locator('main').textContent(), '')
    assert.deepEqual(failed, [])
  })
}
