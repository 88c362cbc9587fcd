import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** As Node's `upgrade` event calls it. */
export type UpgradeListener = (raw: IncomingMessage, stream: Duplex, head: Buffer) => void

/**
 * Stands in the place of the listener that @fastify/websocket attaches, so that the server has one listener and every
 * upgrade one way in.
 *
 * @param attach what makes @fastify/websocket attach its listener
 * @param around is called for every upgrade, with the listener that was attached
 * @returns what takes the listener away again. As long as one is left, Node hands upgrades to it instead of answering them
 * with a 503, and they would hang.
 */
export async function takeUpgrades(
  server: EventEmitter,
  attach: () => PromiseLike<unknown>,
  around: (route: () => void, raw: IncomingMessage, stream: Duplex) => void,
): Promise<() => void> {
  const others = new Set(server.listeners('upgrade'))
  await attach()
  const [attached] = server.listeners('upgrade').filter((listener) => !others.has(listener))
  if (attached === undefined) throw new Error('fastify-secure-ws: @fastify/websocket listens to no upgrades.')
  const listener: UpgradeListener = (raw, stream, head) => {
    around(() => Reflect.apply(attached, server, [raw, stream, head]), raw, stream)
  }
  server.off('upgrade', attached as UpgradeListener)
  server.on('upgrade', listener)
  return () => void server.off('upgrade', listener)
}
