// A stranger's server in ESM: one route, one socket, one encoded answer.
import assert from 'node:assert/strict'
import Fastify from 'fastify'
import secureWs, { CloseCode, encodeFor, SecureWsError, sanitizeHtml } from 'fastify-secure-ws'
import WebSocket from 'ws'

assert.equal(CloseCode.Unauthorized, 3000)
assert.equal(String(encodeFor.html('<b>')), '&lt;b&gt;')
// Long enough for a worker thread, whose file must be in the package.
const dirty = `<p onclick="alert(1)">${'long text '.repeat(200)}</p>`
assert.equal(String(await sanitizeHtml(dirty)), dirty.replace(' onclick="alert(1)"', ''))
assert.equal(typeof (await import('fastify-secure-ws/testing')), 'object')
await assert.rejects(Fastify().register(secureWs, {}).ready(), SecureWsError)

const app = Fastify()
await app.register(secureWs, { authenticate: false, origins: ['http://localhost'] })
app.get('/echo', { websocket: true }, (socket) => {
  socket.on('message', (frame) => socket.send(String(frame)))
})
const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))

const url = `ws://127.0.0.1:${port}/echo`
const headers = { host: 'localhost' }
const client = new WebSocket(url, { origin: 'http://localhost', headers })
client.on('open', () => client.send('<img src=x onerror=alert(1)>'))
const answer = await new Promise((resolve, reject) => client.on('message', resolve).on('error', reject))
assert.equal(String(answer), '&lt;img src=x onerror=alert(1)&gt;')
client.terminate()

const stranger = new WebSocket(url, { origin: 'http://evil.example', headers })
const status = await new Promise((resolve, reject) => {
  stranger.on('unexpected-response', (_request, response) => resolve(response.statusCode))
  stranger.on('open', () => reject(new Error('a stranger was let in')))
  stranger.on('error', reject)
})
assert.equal(status, 403)
stranger.on('error', () => {})
stranger.terminate()

const { connect } = await import('fastify-secure-ws/client')
{
  await using lasting = connect(url, {
    credential: () => ({ headers: { origin: 'http://localhost', host: 'localhost' } }),
  })
  await new Promise((resolve) => lasting.subscribe(({ name }) => name === 'open' && resolve()))
}
await app.close()
console.log('ESM: ok')
