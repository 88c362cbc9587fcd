import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import ws from 'ws'
import secureWs, { cookieSession } from '../../src/index.ts'
import { textOf } from '../house/source-files.ts'
import { cookieOf } from '../journeys/journey.ts'

// The lines of docs/troubleshooting.md, taken from the page and run as they stand there; only the port is another.

const secret = randomBytes(32)
const cookie = cookieOf(secret, 's1')

function lineFor(client: string, port: number): string {
  const row = textOf('docs/troubleshooting.md')
    .split('\n')
    .find((line) => line.startsWith(`| ${client} |`))
  const line = /`([^`]+)`/.exec(row?.slice(client.length + 4) ?? '')?.[1]
  assert.ok(line, client)
  return line.replaceAll('localhost:3000', `localhost:${port}`)
}

async function start(t: TestContext): Promise<number> {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: cookieSession({ secret, load: (id) => ({ id }) }) })
  app.get('/ws', { websocket: true }, (socket) => {
    socket.on('message', (frame) => socket.send(`heard ${frame}`))
  })
  return Number(new URL(await app.listen({ host: 'localhost', port: 0 })).port)
}

/** The arguments of the one call in a line: `new WebSocket('...', { ... })`. The page is ours, and `cookie` is its only variable. */
function argumentsOf(
  line: string,
): [url: string, options: { readonly origin?: string; readonly headers: Record<string, string> }] {
  const [, url = '', options = ''] = /^new WebSocket\('([^']+)', (\{.+\})\)$/.exec(line) ?? []
  const json = options
    .replace(/\bcookie\b/, 'cookie: $cookie')
    .replace(/(\w+): /g, '"$1": ')
    .replaceAll("'", '"')
  return [url, JSON.parse(json.replace('$cookie', () => JSON.stringify(cookie)))]
}

test("curl's line gets a 101, and without its cookie the code", async (t) => {
  const line = lineFor('curl', await start(t))
  const said = async (COOKIE: string) => {
    // It ends with 28, because a socket stays open.
    const ended: unknown = await promisify(execFile)('sh', ['-c', line], { env: { ...process.env, COOKIE } }).catch(
      (error: unknown) => error,
    )
    return String(Reflect.get(Object(ended), 'stdout'))
  }
  assert.match(await said(cookie), /^HTTP\/1\.1 101 /)
  const refused = await said('a=b')
  assert.match(refused, /^HTTP\/1\.1 401 /)
  assert.match(refused, /^secure-ws-code: SWS_UNAUTHENTICATED\r$/m)
})

test('the line of ws connects and talks', async (t) => {
  const [url, options] = argumentsOf(lineFor('ws', await start(t)))
  const socket = new ws(url, options)
  t.after(() => socket.terminate())
  const answer = await new Promise((resolve, reject) => {
    socket.on('open', () => socket.send('hello'))
    socket.on('message', (frame) => resolve(String(frame)))
    socket.on('error', reject)
  })
  assert.equal(answer, 'heard hello')
})

test("the line of Node's own WebSocket connects and talks", async (t) => {
  const [url, options] = argumentsOf(lineFor("Node's own `WebSocket`", await start(t)))
  // undici takes headers in the second place, which the type of the browser's class does not know.
  const socket: WebSocket = Reflect.construct(WebSocket, [url, options])
  t.after(() => socket.close())
  const answer = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send('hello')
    socket.onmessage = ({ data }) => resolve(data)
    socket.onerror = () => reject(new Error('refused'))
  })
  assert.equal(answer, 'heard hello')
})
