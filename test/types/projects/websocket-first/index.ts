// biome-ignore-all assist/source/organizeImports: their order is what is tested.
import type { WebsocketPluginOptions } from '@fastify/websocket'
import secureWs from 'fastify-secure-ws'
import Fastify from 'fastify'

declare const websocket: WebsocketPluginOptions

// Both packages declare overloads of the same methods, and which are tried first depends on which is read first.
const app = Fastify()
await app.register(secureWs, { authenticate: false, websocket })
const receives = {
  say: { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } },
} as const

app.get('/raw', { websocket: true }, (socket) => {
  socket.session.id.trim()
  socket.on('message', (frame, isBinary) => socket.send({ isBinary, length: frame.toString().length }))
})
app.get('/declared', { websocket: true, secureWs: { receives } }, (socket) => {
  socket.on('say', ({ text }) => text.trim())
  // @ts-expect-error TS2769
  socket.on('shout', () => {})
})
app.route({
  method: 'GET',
  url: '/long',
  websocket: true,
  secureWs: { receives },
  handler: (socket) => {
    socket.on('say', ({ text }) => text.trim())
    // @ts-expect-error TS2769
    socket.on('message', () => {})
  },
})
app.route({
  method: 'GET',
  url: '/both',
  handler: async () => 'a page',
  wsHandler: (socket) => socket.session.id.trim(),
})
