import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { handshakeText, rawHandshake } from '../harness/raw-client.ts'
import { guardedServer, strict } from './guarded-server.ts'

const development = await guardedServer({ origins: 'same-origin', ...strict })
after(() => development.close())

const { port } = development
const ours = { Host: `localhost:${port}`, Origin: `http://localhost:${port}` }

test('in development, same origin on loopback needs no option', async () => {
  const { status } = await rawHandshake({ port, bytes: handshakeText({ headers: ours }) })
  assert.equal(status, 101)
})

test('a refusal holds status, code and status text, in JSON with a charset', async () => {
  const bytes = handshakeText({ headers: { ...ours, Origin: 'https://evil.example' } })
  const { status, headers, body } = await rawHandshake({ port, bytes })
  assert.equal(status, 403)
  assert.equal(headers['content-type'], 'application/json; charset=utf-8')
  assert.deepEqual(JSON.parse(body), { statusCode: 403, code: 'SWS_ORIGIN_REFUSED', error: 'Forbidden' })
  assert.match(development.refusals.at(-1)?.reason ?? '', /https:\/\/evil\.example/)
})

test('CS-2 another version is answered with 426 and the version that is spoken', async () => {
  const bytes = handshakeText({ headers: { ...ours, 'Sec-WebSocket-Version': '8' } })
  const { status, headers } = await rawHandshake({ port, bytes })
  assert.equal(status, 426)
  assert.equal(headers['sec-websocket-version'], '13')
})

// Bare @fastify/websocket completes all of these and then closes without a code.
for (const [name, request] of [
  ['a plain route', { target: '/plain' }],
  ['an unknown path', { target: '/nope' }],
  ['HEAD of a socket route', { method: 'HEAD' }],
  ['POST to a socket route', { method: 'POST' }],
  ['OPTIONS of everything', { method: 'OPTIONS', target: '*' }],
] as const) {
  test(`X-2 ${name} never gets a 101`, async () => {
    const { status, text } = await rawHandshake({ port, bytes: handshakeText({ ...request, headers: ours }) })
    assert.ok(status === 400 || status === 404, String(status))
    assert.doesNotMatch(text, / 101 /)
  })
}

test('CS-1 plain with a public name is refused, over the same loopback connection', async () => {
  const headers = { Host: 'app.example', Origin: 'http://app.example' }
  const { status } = await rawHandshake({ port, bytes: handshakeText({ headers }) })
  assert.equal(status, 426)
})

// The rest of the bytes of a refused handshake must not be read as a second request.
test('4.2.1 nothing behind a refused handshake is answered', async () => {
  const smuggled = handshakeText({ headers: ours })
  const bytes = handshakeText({ headers: { ...ours, 'Content-Length': String(smuggled.length) } }) + smuggled
  const { status, text } = await rawHandshake({ port, bytes })
  assert.equal(status, 400)
  assert.equal(text.split('HTTP/1.1 ').length, 2)
})
