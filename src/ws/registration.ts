import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import websocket, { type WebsocketPluginOptions } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { clientsOf } from './clients.ts'
import type { SecureSockets } from './socket.ts'
import { type TakeUpgradesOptions, takeUpgrades, type Upgrades } from './upgrade.ts'

type SocketClass = NonNullable<NonNullable<WebsocketPluginOptions['options']>['WebSocket']>

export interface WebsocketRegistration extends Omit<TakeUpgradesOptions, 'attach'> {
  /** The `websocket` option, as the application wrote it. */
  readonly given: WebsocketPluginOptions
  readonly sockets: SecureSockets
  /** The sub-protocol that the guard has picked. */
  readonly protocolOf: (request: IncomingMessage) => string | undefined
  /** Bytes, asked for each socket: routes are declared later. */
  readonly maxPayload: () => number
}

/** Registers @fastify/websocket with our socket class, and takes the place of its listener for upgrades. */
export async function registerWebsocket(app: FastifyInstance, registration: WebsocketRegistration): Promise<Upgrades> {
  const { given, sockets, around, left, guarded, protocolOf, maxPayload } = registration
  const options = {
    perMessageDeflate: false,
    closeTimeout: 5_000,
    ...given.options,
    // Asked by the guard.
    verifyClient: undefined,
    WebSocket: sockets.SecureWebSocket as object as SocketClass,
  }
  const upgrades = await takeUpgrades(upgradesOf(app, given), {
    // In the place of its own error handler, which cuts the connection: `attended` and the connection take care of both kinds.
    attach: () => app.register(websocket, { errorHandler() {}, ...given, options }),
    around,
    left,
    guarded,
  })
  const server = app.websocketServer
  // Undefined where the application wants none.
  if (server.clients instanceof Set) server.clients = clientsOf(() => sockets.open())
  // Other packages write to these options (graphql-ws does): one of their routes would choose for all of ours.
  const inForce = server.options
  Object.defineProperty(inForce, 'handleProtocols', {
    get: () => (_offered: Set<string>, request: IncomingMessage) => protocolOf(request) ?? false,
    set() {},
  })
  Object.defineProperty(inForce, 'maxPayload', { get: maxPayload, set() {} })
  return upgrades
}

/** Where @fastify/websocket listens: it may be told of another server than Fastify's own. */
function upgradesOf(app: FastifyInstance, { options }: WebsocketPluginOptions): EventEmitter {
  return options?.server ?? app.server
}
