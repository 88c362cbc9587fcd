import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A server that has sanitized in both directions, and then says which files its main thread has loaded. */
const script = `
import { registerHooks } from 'node:module'
const loaded = new Set()
registerHooks({
  load(url, context, next) {
    loaded.add(url)
    return next(url, context)
  },
})
const { default: Fastify } = await import('fastify')
const { default: secureWs } = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)})
const { WebSocket } = await import('ws')
const app = Fastify()
await app.register(secureWs, { authenticate: false, allowMissingOrigin: true })
const schema = { type: 'object', properties: { html: { type: 'string', contentMediaType: 'text/html' } }, required: ['html'] }
const secured = { receives: { post: { schema } }, sends: { posted: { schema } } }
app.get('/', { websocket: true, secureWs: secured }, (socket) => {
  socket.on('post', ({ html }) => socket.send({ type: 'posted', html: html + '<i onclick="x()">' }))
})
const address = await app.listen({ port: 0, host: '127.0.0.1' })
const socket = new WebSocket(address.replace('http', 'ws'))
const heard = await new Promise((resolve) => {
  socket.on('open', () => socket.send(JSON.stringify({ type: 'post', html: '<b onclick="x()">hello</b>' })))
  socket.on('message', (text) => resolve(JSON.parse(text)))
})
socket.terminate()
const { sanitizeHtml } = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)})
console.log(JSON.stringify({ heard, also: String(await sanitizeHtml('<b onclick="x()">a</b>')), loaded: [...loaded] }))
await app.close()
process.exit()`

// jsdom is half a second of loading and 40 MiB, and both read what attackers wrote: neither has anything to do in this thread.
test('jsdom and DOMPurify are loaded by workers alone', async () => {
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script])
  const { heard, also, loaded } = JSON.parse(stdout)
  assert.deepEqual(heard, { type: 'posted', html: '<b>hello</b><i></i>' })
  assert.equal(also, '<b>a</b>')
  const packages = new Set(
    loaded.flatMap((url: string) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []),
  )
  // Near misses: what the main thread does load is seen, of both kinds of modules.
  for (const name of ['fastify', 'ws', '@fastify/websocket']) assert.ok(packages.has(name), name)
  assert.ok(loaded.some((url: string) => url.endsWith('/src/sanitizing/worker-pool.ts')))
  for (const name of ['jsdom', 'dompurify', 'parse5', 'cssstyle', 'tough-cookie']) assert.ok(!packages.has(name), name)
  assert.ok(
    !loaded.some((url: string) => /\/src\/sanitizing\/(?:cleaner|structure|secure-ws-sanitizer)\.ts$/.test(url)),
  )
})
