import type { WebSocket as RouteSocket } from '@fastify/websocket'
import Fastify from 'fastify'
import secureWs, { type Audience, type SecureSocket, type Session } from 'fastify-secure-ws'
import { createWebSocketStream, type RawData, type WebSocket } from 'ws'
import { is } from './expect.ts'

const app = Fastify()
await app.register(secureWs, { authenticate: false })

declare function takesWebSocket(socket: WebSocket): void
declare function takesRouteSocket(socket: RouteSocket): void
declare function takesSecureSocket(socket: SecureSocket): void
declare function takesAudience(audience: Audience): void

app.get('/raw', { websocket: true }, (socket, request) => {
  is<Session>()(socket.session)
  is<unknown>()(request.params)
  socket
    .on('message', (frame, isBinary) => {
      is<RawData>()(frame)
      is<boolean>()(isBinary)
    })
    .on('close', (code) => is<number>()(code))
  is<Session>()(socket.on('message', () => {}).session)
  socket.on('binary', (bytes, mediaType) => {
    is<Buffer>()(bytes)
    is<string>()(mediaType)
  })
  socket.send('text')
  socket.send({ any: 'thing' }, { encode: 'json' })
  socket.addEventListener('message', (event) => event.data)

  // Whatever takes a socket of ws takes this one.
  createWebSocketStream(socket).write('encoded as well')
  takesWebSocket(socket)
  takesRouteSocket(socket)
  takesSecureSocket(socket)
  takesAudience(socket.to('room'))
})

app.get('/overrides', { websocket: true, secureWs: { encode: 'none', origins: ['https://a.example'] } }, (socket) => {
  createWebSocketStream(socket)
  socket.on('message', (_, isBinary) => is<boolean>()(isBinary))
})

// Handlers may be declared elsewhere, and may wait.
async function echo(socket: SecureSocket): Promise<void> {
  socket.on('message', (frame) => socket.send(frame.toString()))
}
app.get('/echo', { websocket: true }, echo)
app.get('/short', { websocket: true }, (socket) => socket.on('message', () => {}))
app.get('/ws', { websocket: true }, (socket: WebSocket) => socket.close())
