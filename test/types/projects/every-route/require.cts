import Fastify = require('fastify')
import secureWs = require('fastify-secure-ws')

// From CommonJS the plugin itself is what `require` returns.
const app = Fastify()
app.register(secureWs, { authenticate: false })
// @ts-expect-error TS2769: there is no default for who may come in.
app.register(secureWs, {})
app.get('/', { websocket: true, secureWs: { receives: {} } }, (socket) => {
  socket.session.id.trim()
  // @ts-expect-error TS2769
  socket.on('message', () => {})
})
