import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { closeReasonBytes, isSendableCloseCode } from '../connection/close.ts'
import { Connection } from '../connection/connection.ts'
import { controlText } from '../connection/control-text.ts'
import type { Held } from '../connection/held.ts'
import { kickFrom } from '../connection/membership.ts'
import { badOption, CloseCode, SecureWsError } from '../errors.ts'
import { roomName } from '../rooms/room-name.ts'
import type { Rooms } from '../rooms/rooms.ts'
import { sessionFingerprint } from '../telemetry/audit.ts'
import {
  everyNode,
  isSocketId,
  type Order,
  oneNode,
  parseAnswer,
  parseOrder,
  type RemoteSocket,
  socketsPerAnswer,
  type Whom,
} from './order.ts'
import { badSubject, checkKicked, checkListed, type Kicked } from './whom.ts'

/** The result of an order to all nodes. */
export interface Told {
  /** Sockets of this node that it has hit. */
  readonly here: number
  /** Whether the bus has taken it for the other nodes. `false`: it is away, and only this node knows. */
  readonly told: boolean
}

export interface RemoteSocketsOptions {
  /** As the relay has it, now. */
  readonly nodeId: () => string
  readonly rooms: Rooms<Connection>
  /** The open sockets of this node: of somebody, or all. */
  readonly socketsOf: (identityKey: string | undefined) => Iterable<Held>
  /** To a room of nodes; true when the bus has taken it. */
  readonly publish: (room: string, text: string) => Promise<boolean>
  /** The ids of the nodes that are alive, this one included; `undefined` where the bus has no store that could say so. */
  readonly nodes: (() => Promise<readonly string[]>) | undefined
  /** How long the other nodes may take to say which sockets they have, in ms. */
  readonly deadline?: number
}

interface Asking {
  readonly parts: Map<string, Map<number, readonly RemoteSocket[]>>
  readonly complete: Set<string>
  /** Wakes up whoever waits for the answers. */
  heard: () => void
}

/** Orders to the sockets of all nodes, and their execution when another node gives them. */
export function createRemoteSockets(options: RemoteSocketsOptions) {
  const { nodeId, rooms, socketsOf, publish, nodes, deadline = 2_000 } = options
  const questions = new Map<string, Asking>()

  function openSockets(whom: Whom | undefined): Held[] {
    const id = whom?.startsWith('socket:') ? whom.slice('socket:'.length) : undefined
    const some = id === undefined ? socketsOf(whom) : socketsOf(undefined)
    return [...some].filter((socket) => !socket.ended && (id === undefined || socket.id === id))
  }

  function kick(whom: Whom, room: string): number {
    const kicked = openSockets(whom).filter((socket) => socket instanceof Connection && kickFrom(socket, rooms, room))
    return kicked.length
  }

  function close(socket: string, code: number, reason: string): number {
    const found = openSockets(`socket:${socket}`)
    for (const held of found) {
      if (held instanceof Connection) held.close(code, controlText(reason, closeReasonBytes))
      // Of another server, behind a guard: there is a stream, and no close frame of ours.
      else held.end(CloseCode.GoingAway, 'closed by the application')
    }
    return found.length
  }

  function list(whom: Whom | undefined): RemoteSocket[] {
    return openSockets(whom).map(({ id, openedAt, identity, admitted }) => ({
      id,
      since: openedAt,
      address: admitted.address,
      route: admitted.policy.route,
      userId: identity?.userId,
      session: identity === null ? undefined : sessionFingerprint(identity.sessionId),
    }))
  }

  function answer({ ask, node, whom }: Extract<Order, { verb: 'list' }>): void {
    const sockets = list(whom)
    const parts = Math.max(1, Math.ceil(sockets.length / socketsPerAnswer))
    for (let part = 0; part < parts; part++) {
      const some = sockets.slice(part * socketsPerAnswer, (part + 1) * socketsPerAnswer)
      void publish(oneNode(node), JSON.stringify({ ask, node: nodeId(), part, parts, sockets: some }))
    }
  }

  function hearAnswer(text: string): boolean {
    const said = parseAnswer(text)
    if (said === undefined) return false
    const asking = questions.get(said.ask)
    if (asking === undefined) return true
    const parts = asking.parts.get(said.node) ?? new Map<number, readonly RemoteSocket[]>()
    asking.parts.set(said.node, parts)
    parts.set(said.part, said.sockets)
    if (parts.size < said.parts) return true
    asking.complete.add(said.node)
    asking.heard()
    return true
  }

  /** Asks until every node that is alive has answered: one that has just started may not have heard the first time. */
  async function ask(whom: Whom | undefined, alive: () => Promise<readonly string[]>): Promise<RemoteSocket[]> {
    const id = randomUUID()
    const asking: Asking = { parts: new Map(), complete: new Set([nodeId()]), heard() {} }
    questions.set(id, asking)
    try {
      const order: Order = { verb: 'list', ask: id, node: nodeId(), whom }
      const end = performance.now() + deadline
      for (;;) {
        const missing = (await storeAnswers(alive)).filter((node) => !asking.complete.has(node))
        if (missing.length === 0) return [...asking.parts.values()].flatMap((parts) => [...parts.values()].flat())
        if (performance.now() > end) throw silent(missing.length, deadline)
        await publish(everyNode, JSON.stringify(order))
        await allHeard(asking, missing)
      }
    } finally {
      questions.delete(id)
    }
  }

  return {
    isInbox: (room: string): boolean => room === everyNode || room === oneNode(nodeId()),
    /** Carries out a message of another node in a room of nodes. False: it makes no sense. */
    hear(room: string, text: string): boolean {
      if (room !== everyNode) return hearAnswer(text)
      const order = parseOrder(text)
      if (order?.verb === 'kick') kick(order.whom, order.room)
      else if (order?.verb === 'close') close(order.socket, order.code, order.reason)
      else if (order?.verb === 'list') answer(order)
      return order !== undefined
    },
    async kick(kicked: Kicked, name: string): Promise<Told> {
      const room = roomName(name)
      const whom = checkKicked(kicked)
      const here = kick(whom, room)
      // A socket is on one node: nobody else has to be told.
      if (here > 0 && whom.startsWith('socket:')) return { here, told: true }
      return { here, told: await publish(everyNode, JSON.stringify({ verb: 'kick', whom, room })) }
    },
    async close(socket: string, code = 1000, reason = ''): Promise<Told> {
      if (!isSocketId(socket)) throw badSubject('close(socketId)', 'the `id` of a socket, 22 characters')
      if (!isSendableCloseCode(code)) {
        throw badOption('close.code', code, 'Write 1000, or one from 3000 to 4999: no close frame may carry another.')
      }
      if (typeof reason !== 'string' || reason.length > 123) {
        throw badOption('close.reason', reason, 'Write a text that fits into the 123 bytes of a close frame.')
      }
      const here = close(socket, code, reason)
      if (here > 0) return { here, told: true }
      return { here, told: await publish(everyNode, JSON.stringify({ verb: 'close', socket, code, reason })) }
    },
    async list(of: { readonly userId?: string; readonly sessionId?: string }): Promise<readonly RemoteSocket[]> {
      const whom = checkListed(of)
      if (nodes === undefined) {
        throw new SecureWsError(
          'SWS_UNAVAILABLE',
          'This bus has no `stores`: nobody knows which nodes there are. Use redisBus(), or give your bus `stores`.',
        )
      }
      const others = await ask(whom, nodes)
      return [...list(whom), ...others]
    },
  }
}

async function storeAnswers<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (cause) {
    throw new SecureWsError('SWS_UNAVAILABLE', 'The store that knows which nodes there are does not answer.', { cause })
  }
}

/** So often a node that has not answered is asked again, in ms. */
const askAgainAfter = 250

async function allHeard(asking: Asking, missing: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  asking.heard = () => {
    if (missing.every((node) => asking.complete.has(node))) resolve()
  }
  const stop = new AbortController()
  // Those that answered while the order was on its way have called nobody.
  asking.heard()
  await Promise.race([promise, wait(askAgainAfter, undefined, { signal: stop.signal, ref: false }).catch(() => {})])
  stop.abort()
}

function silent(count: number, deadline: number): SecureWsError {
  return new SecureWsError(
    'SWS_UNAVAILABLE',
    `${count} node(s) did not say within ${deadline} ms which sockets they have. One that was killed is forgotten after 30 s.`,
  )
}
