// A stranger's server in CommonJS: `require` returns the plugin itself, and the named exports beside it.
const assert = require('node:assert/strict')
const Fastify = require('fastify')
const secureWs = require('fastify-secure-ws')

assert.equal(typeof secureWs, 'function')
assert.equal(typeof secureWs.cookieSession, 'function')
assert.equal(typeof require('fastify-secure-ws/client').connect, 'function')

async function main() {
  const app = Fastify()
  await app.register(secureWs, { authenticate: false })
  app.get('/echo', { websocket: true }, (socket) => socket.on('message', (frame) => socket.send(String(frame))))
  await app.ready()
  const { statusCode } = await app.inject({ url: '/echo' })
  assert.equal(statusCode, 426)
  await app.close()
  console.log('CommonJS: ok')
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
