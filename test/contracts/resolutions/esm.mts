// A stranger's editor in an ESM file: the session and the messages are typed, and nothing is `any`.
import Fastify from 'fastify'
import secureWs, { cookieSession, type Encoded, html, secureWs as named, type SecureWsOptions } from 'fastify-secure-ws'
import { connect } from 'fastify-secure-ws/client'
import { injectSecureWS } from 'fastify-secure-ws/testing'

const app = Fastify()
const options: SecureWsOptions = { authenticate: cookieSession({ secret: 'x', load: () => null }) }
await app.register(secureWs, options)
await app.register(named, options)
// @ts-expect-error there is no default for who may come in
await app.register(secureWs, {})

const text = { type: 'object', properties: { text: { type: 'string' } } } as const
app.get('/', { websocket: true, secureWs: { receives: { say: { schema: text } } } }, (socket) => {
  const id: string = socket.session.id
  socket.on('say', () => app.secureWs.to('room').send({ type: 'said', id }))
  // @ts-expect-error nobody declared it
  socket.on('shout', () => {})
  // @ts-expect-error a route that declares messages has no raw ones
  socket.on('message', () => {})
})

export const markup: Encoded<'html'> = html`<b>${'<'}</b>`
// @ts-expect-error a socket, and no text
export const socket: string = await injectSecureWS(app, '/')

const client = connect<{ receives: { say: { type: 'say'; text: string } }; sends: object; replies: { say: number } }>(
  'wss://a.example/',
)
client.send({ type: 'say', text: '' })
export const answer: Promise<number> = client.request('say', { text: '' })
// @ts-expect-error nobody declared it
client.send({ type: 'shout', text: '' })
