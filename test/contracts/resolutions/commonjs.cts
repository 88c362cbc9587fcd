// The same in a CommonJS file: `require` returns the plugin, with the other exports as its members.
import Fastify = require('fastify')
import secureWs = require('fastify-secure-ws')
import client = require('fastify-secure-ws/client')
import testing = require('fastify-secure-ws/testing')

const app = Fastify()
const options: secureWs.SecureWsOptions = {
  authenticate: secureWs.cookieSession({ secret: 'x', load: () => null }),
}
app.register(secureWs, options)
app.register(secureWs.default, options)
// @ts-expect-error there is no default for who may come in
app.register(secureWs, {})

app.get('/', { websocket: true, secureWs: { receives: {} } }, (socket) => {
  socket.session.id.trim()
  // @ts-expect-error a route that declares messages has no raw ones
  socket.on('message', () => {})
})

export const markup: secureWs.Encoded<'html'> = secureWs.html`<b>${'<'}</b>`
// @ts-expect-error a promise of a socket, and no text
export const socket: string = testing.injectSecureWS(app, '/')

const sums = client.connect<{
  receives: { say: { type: 'say'; text: string } }
  sends: object
  replies: { say: number }
}>('wss://a.example/')
export const answer: Promise<number> = sums.request('say', { text: '' })
// @ts-expect-error nobody declared it
sums.send({ type: 'shout', text: '' })
