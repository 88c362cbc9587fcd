/**
 * Stands where @fastify/websocket's own tests expect @fastify/websocket: what they register is this package, with the
 * guards on and no declarations. Loaded into each of their files by `fastify-websocket-hooks.ts`.
 */
import type { WebsocketPluginOptions } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import secureWs from '../../src/index.ts'

const many = { perSecond: 1_000_000, burst: 1_000_000 }

async function front(app: FastifyInstance, options: WebsocketPluginOptions): Promise<void> {
  // A plain object: register() hands over one that has inherited the parent's members.
  const { errorHandler, preClose, options: ofWs } = options
  await app.register(secureWs, {
    authenticate: false,
    // `injectWS` requests have no connection that could be encrypted, or be a loopback one.
    allowInsecureTransport: true,
    // The frames these tests compare are text that stands for itself.
    encode: 'none',
    limits: {
      connections: 1_000_000,
      connectionsPerAddress: 1_000_000,
      handshakesPerMinutePerAddress: 1_000_000,
      refusedPerMinutePerAddress: 1_000_000,
      messages: many,
    },
    websocket: {
      // What @fastify/websocket does with a handler that failed when nobody says otherwise: a cut, without a code.
      errorHandler:
        errorHandler ??
        ((error, socket, request) => {
          request.log.error(error)
          socket.terminate()
        }),
      ...(preClose === undefined ? {} : { preClose }),
      ...(ofWs === undefined ? {} : { options: ofWs }),
    },
  })

  // These requests come from inside the process, and name neither who asks nor whom.
  const { injectWS } = app
  app.injectWS = (path, context, handlers) => {
    const headers = { host: 'localhost', origin: 'http://localhost', ...context?.headers }
    return injectWS.call(app, path, { ...context, headers }, handlers)
  }
}

const plugin = fastifyPlugin(front, { fastify: '5.x', name: 'fastify-secure-ws-front' })

export { plugin as 'module.exports' }
