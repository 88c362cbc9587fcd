import Fastify from 'fastify'
import secureWs, { html } from 'fastify-secure-ws'

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })

const body = { type: 'string', maxLength: 10_000, contentMediaType: 'text/html' } as const
const post = { type: 'object', properties: { body }, required: ['body'] } as const

app.get(
  '/posts',
  {
    websocket: true,
    secureWs: { receives: { post: { schema: post } }, sends: { posted: { schema: post } }, binary: ['image/png'] },
  },
  (socket) => {
    // The listener gets clean HTML; it is cleaned once more on its way out.
    socket.on('post', ({ body }) => socket.send({ type: 'posted', body }))
    // The bytes begin as a PNG does. `html` encodes what is put into it.
    socket.on('binary', (bytes, mediaType) => {
      socket.send({ type: 'posted', body: html`<p>${bytes.length} bytes of <code>${mediaType}</code></p>` })
    })
  },
)

await app.listen({ port: 3000 })
