// A stranger's application, as one file for a bundler: it starts, talks over one socket, and says what it got.
import Fastify from 'fastify'
import secureWs, { bearer, html, SecureWsError, sanitizeHtml } from 'fastify-secure-ws'
import { injectSecureWS } from 'fastify-secure-ws/testing'

const [, , ...wanted] = process.argv
const said = {}

async function main() {
  const app = Fastify()
  // A key makes `jose` load, a schema the compiler, `binary` the detector of file types.
  const authenticate = [
    bearer({ key: 'k'.repeat(48), algorithms: ['HS256'], issuer: 'https://issuer.example', audience: 'a' }),
    () => ({ id: '1' }),
  ]
  await app.register(secureWs, { authenticate, origins: ['https://localhost'] })
  const text = {
    type: 'object',
    properties: { text: { type: 'string', pattern: '^[a-z<>]+$' } },
    required: ['text'],
    additionalProperties: false,
  }
  const body = { type: 'object', properties: { body: { type: 'string', contentMediaType: 'text/html' } } }
  const sends = wanted.includes('rich')
    ? { said: { schema: text }, rich: { schema: body } }
    : { said: { schema: text } }
  app.get(
    '/',
    { websocket: true, secureWs: { receives: { say: { schema: text } }, sends, binary: ['image/png'] } },
    (socket) => {
      socket.on('say', (message) => socket.send({ type: 'said', text: message.text }))
    },
  )
  await app.ready()
  const socket = await injectSecureWS(app, '/')
  const answer = new Promise((resolve) => socket.once('message', resolve))
  socket.send(JSON.stringify({ type: 'say', text: '<b>' }))
  said.answer = String(await answer)
  socket.terminate()
  said.markup = String(html`<i>${'<'}</i>`)
  if (wanted.includes('sanitize')) {
    said.sanitized = await sanitizeHtml('<b onclick="x">b</b>').then(String, ({ code }) => code)
  }
  await app.close()
}

main()
  .catch((error) => {
    said.failed = error instanceof SecureWsError ? `${error.code} ${error.message}` : String(error.stack)
  })
  .then(() => console.log(JSON.stringify(said)))
