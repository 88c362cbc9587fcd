// The same with a resolver that knows no `exports`, as many servers in TypeScript still have it.
import Fastify from 'fastify'
import secureWs, { cookieSession, type Encoded, html, type SecureWsOptions } from 'fastify-secure-ws'
import { connect } from 'fastify-secure-ws/client'
import { injectSecureWS } from 'fastify-secure-ws/testing'

const app = Fastify()
const options: SecureWsOptions = { authenticate: cookieSession({ secret: 'x', load: () => null }) }
app.register(secureWs, options)
// @ts-expect-error there is no default for who may come in
app.register(secureWs, {})

app.get('/', { websocket: true, secureWs: { receives: {} } }, (socket) => {
  socket.session.id.trim()
  // @ts-expect-error a route that declares messages has no raw ones
  socket.on('message', () => {})
})

export const markup: Encoded<'html'> = html`<b>${'<'}</b>`
// @ts-expect-error a promise of a socket, and no text
export const socket: string = injectSecureWS(app, '/')

const client = connect<{ receives: { say: { type: 'say'; text: string } }; sends: object; replies: { say: number } }>(
  'wss://a.example/',
)
client.send({ type: 'say', text: '' })
export const answer: Promise<number> = client.request('say', { text: '' })
// @ts-expect-error nobody declared it
client.send({ type: 'shout', text: '' })
