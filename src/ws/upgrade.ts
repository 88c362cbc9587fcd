import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { SecureWsError } from '../errors.ts'
import { answerOtherProtocols } from './other-protocols.ts'

/** As Node's `upgrade` event calls it. */
export type UpgradeListener = (raw: IncomingMessage, stream: Duplex, head: Buffer) => void

export interface TakeUpgradesOptions {
  /** Makes @fastify/websocket attach its listener. */
  readonly attach: () => PromiseLike<unknown>
  /** Called for every upgrade that is not left to others, with the listener that was attached. */
  readonly around: (raw: IncomingMessage, stream: Duplex, head: Buffer, route: UpgradeListener) => void
  /** Path prefixes whose upgrades belong to the other listeners. */
  readonly left: readonly string[]
  /** Path prefixes whose upgrades reach the other listeners when they have passed the guard. */
  readonly guarded: readonly string[]
}

export interface Upgrades {
  /**
   * From the start on there is one way in: other listeners hear of the paths that are guarded or left to them, and of no others.
   * @throws SecureWsError `SWS_UNGUARDED_ROUTE` when somebody else listens and no path is guarded or left
   */
  lock(): void
  /** How many others listen. */
  readonly others: number
  /** Hands an upgrade to the others, as the server would, and says what each returned. */
  passOn(raw: IncomingMessage, stream: Duplex, head: Buffer): readonly unknown[]
  /**
   * Stops listening, and ends the streams that were left to others: the server would wait for them. As long as one listener is
   * left, Node hands upgrades to it instead of answering them with a 503.
   */
  leave(): void
}

/**
 * Stands in the place of the listener that @fastify/websocket attaches, so that every upgrade has one way in. Two listeners
 * on one stream answer the same request twice: one opens what the other refused, or the process ends with
 * ERR_HTTP_SOCKET_ASSIGNED.
 */
export async function takeUpgrades(server: EventEmitter, options: TakeUpgradesOptions): Promise<Upgrades> {
  const { attach, around, left, guarded } = options
  const before = new Set(server.listeners('upgrade'))
  await attach()
  const [attached] = server.listeners('upgrade').filter((listener) => !before.has(listener))
  if (attached === undefined) throw new Error('fastify-secure-ws: @fastify/websocket listens to no upgrades.')
  const route = (attached as UpgradeListener).bind(server)
  const others = new Set<UpgradeListener>()
  const leftAlone = new Set<Duplex>()
  const listener: UpgradeListener = (raw, stream, head) => {
    // With nobody there to take it, the stream would be nobody's: the guard answers with 404.
    if (others.size > 0 && isBelow(raw.url, left)) leave(raw, stream, head)
    else around(raw, stream, head, route)
  }
  server.off('upgrade', attached as UpgradeListener)
  server.on('upgrade', listener)

  function leave(raw: IncomingMessage, stream: Duplex, head: Buffer): void {
    leftAlone.add(stream)
    stream.once('close', () => leftAlone.delete(stream))
    passOn(raw, stream, head)
  }

  function passOn(raw: IncomingMessage, stream: Duplex, head: Buffer): readonly unknown[] {
    return [...others].map((other) => Reflect.apply(other, server, [raw, stream, head]))
  }

  answerOtherProtocols(server, (raw) => others.size > 0 && isBelow(raw.url, left))

  const nobodyElse = () => left.length === 0 && guarded.length === 0

  /** `once` hands out a wrapper that knows what it wraps; `rawListeners` finds it, and calling it takes it away. */
  function takeOver(): void {
    for (const other of server.rawListeners('upgrade')) {
      if (other === listener) continue
      if (nobodyElse()) throw unguarded(other)
      others.add(other as UpgradeListener)
      server.off('upgrade', other as UpgradeListener)
    }
  }

  function onNewListener(event: string | symbol, added: unknown): void {
    if (event !== 'upgrade' || added === listener) return
    // Thrown to whoever adds it: nothing has been attached yet.
    if (nobodyElse()) throw unguarded(added)
    // Emitted before it is attached.
    process.nextTick(takeOver)
  }

  return {
    lock() {
      takeOver()
      server.on('newListener', onNewListener)
    },
    get others() {
      return others.size
    },
    passOn,
    leave() {
      server.off('newListener', onNewListener)
      server.off('upgrade', listener)
      for (const stream of leftAlone) stream.destroy()
    },
  }
}

/** Whole segments of the path as it was sent: what is written another way is not left to anybody. */
export function isBelow(url: string | undefined, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0 || url === undefined) return false
  const end = url.indexOf('?')
  const path = end === -1 ? url : url.slice(0, end)
  return prefixes.some((prefix) => path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`))
}

/** Listeners without a telling name, by words of their source; a wrong guess is a wrong name in a message, and nothing else. */
const known: readonly (readonly [owner: string, words: RegExp, path: string])[] = [
  ['socket.io', /destroyUpgrade/, '/socket.io'],
  ['@fastify/http-proxy', /isUpgradeWithinPrefixes/, '/its-prefix'],
  ["vite's hot reload", /vite-hmr/, '/vite-hmr'],
  ['a WebSocketServer of ws (graphql-ws and others make one)', /handleUpgrade\([^)]*emitConnection/, '/its-path'],
]

function unguarded(listener: unknown): SecureWsError {
  const source = typeof listener === 'function' ? Function.prototype.toString.call(unwrapped(listener)) : ''
  const [owner, , path] = known.find(([, words]) => words.test(source)) ?? [nameOf(listener), undefined, '/its-path']
  return new SecureWsError(
    'SWS_UNGUARDED_ROUTE',
    `fastify-secure-ws: ${owner} listens to \`upgrade\` on this server as well: its sockets would pass no guard, and both would answer the same request. Put the guard in front of it before the start, \`app.secureWs.guard('${path}')\`; or give it an HTTP server of its own; or leave its paths to it, unguarded: \`dangerouslyLeaveUpgrades: ['${path}']\`.`,
  )
}

function nameOf(listener: unknown): string {
  return typeof listener === 'function' && listener.name !== '' ? `\`${listener.name}\`` : 'a function without a name'
}

/** `once` hands out a wrapper that knows what it wraps. */
function unwrapped(listener: object): object {
  const wrapped: unknown = Reflect.get(listener, 'listener')
  return typeof wrapped === 'function' ? wrapped : listener
}
