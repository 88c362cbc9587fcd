import Fastify from 'fastify'
import secureWs from '../../src/index.ts'
import { handshakeText, rawHandshake } from '../harness/raw-client.ts'

// An application without a logger, refused twice in each of four ways: what a newcomer's terminal shows is what is on stderr.

const app = Fastify()
await app.register(secureWs, { authenticate: ({ headers }) => (headers.cookie === undefined ? null : { id: 's1' }) })
app.get('/ws', { websocket: true }, () => {})
app.get(
  '/fails',
  {
    websocket: true,
    secureWs: {
      authorize() {
        throw new TypeError('BOOM')
      },
    },
  },
  () => {},
)
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const port = Number(new URL(url).port)
const right = { Host: `localhost:${port}`, Origin: `http://localhost:${port}` }
for (let time = 0; time < 2; time++) {
  await (await fetch(`${url}/ws`)).text()
  for (const [target, headers] of [
    ['/ws', { Origin: 'https://evil.example' }],
    ['/ws', {}],
    ['/fails', { Cookie: 'a=b' }],
  ] as const) {
    await rawHandshake({ port, bytes: handshakeText({ target, headers: { ...right, ...headers } }) })
  }
}
await app.close()
