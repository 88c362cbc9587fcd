import { isSendableCloseCode } from '../connection/close.ts'
import { digestOf } from '../session/identity.ts'

/** Whose sockets, as nodes name them: `socket:<id>`, or an identity key, which opens nothing. */
export type Whom = `socket:${string}` | `session:${string}` | `user:${string}`

/** An order of a node to all the others, about sockets. The end of a session is not one: it is a denial, which nobody can miss. */
export type Order =
  /** Out of one room. */
  | { readonly verb: 'kick'; readonly whom: Whom; readonly room: string }
  /** Close one socket as the application would. */
  | { readonly verb: 'close'; readonly socket: string; readonly code: number; readonly reason: string }
  /** Say which sockets you have: of somebody, or all of them. The answer goes to `node`. */
  | { readonly verb: 'list'; readonly ask: string; readonly node: string; readonly whom: Whom | undefined }

/** An open socket, on whichever node: plain values, none of which opens anything. */
export interface RemoteSocket {
  /** As `socket.id`: `close` and `kick` take it. */
  readonly id: string
  /** When it was opened, in milliseconds since the epoch. */
  readonly since: number
  /** The client's address, as its node saw it. */
  readonly address: string | undefined
  /** The route it was opened on, as declared. */
  readonly route: string
  /** Of its session. */
  readonly userId: string | undefined
  /** The fingerprint of its session, as audit events show it: tells sessions apart, and opens nothing. */
  readonly session: string | undefined
}

/** A part of what one node has to say to a `list`: `parts` of them belong together. */
export interface Answer {
  readonly ask: string
  readonly node: string
  readonly part: number
  readonly parts: number
  readonly sockets: readonly RemoteSocket[]
}

/**
 * Nodes among themselves are rooms whose names no application can use (`roomName` refuses control characters): one that all
 * nodes are in, and one for each node alone.
 */
export const everyNode = '\u0001nodes'
export const oneNode = (nodeId: string): string => `\u0001node ${nodeId}`

/** Sockets in one answer: some 250 characters each, well within an envelope. */
export const socketsPerAnswer = 500
const longestText = 4_096
const mostParts = 100_000

export function isSocketId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{22}$/.test(value)
}

/** Total: what is no order of ours is `undefined`. The bus may be written by whoever can reach it. */
export function parseOrder(text: string): Order | undefined {
  const order = parseObject(text)
  if (order === undefined) return undefined
  const whom = order.get('whom')
  if (order.get('verb') === 'kick') {
    const room = order.get('room')
    return isWhom(whom) && isText(room) && order.size === 3 ? { verb: 'kick', whom, room } : undefined
  }
  if (order.get('verb') === 'close') {
    const [socket, code, reason] = [order.get('socket'), order.get('code'), order.get('reason')]
    if (!isSocketId(socket) || typeof code !== 'number' || !isSendableCloseCode(code) || !isText(reason))
      return undefined
    return order.size === 4 ? { verb: 'close', socket, code, reason } : undefined
  }
  const [ask, node] = [order.get('ask'), order.get('node')]
  if (order.get('verb') !== 'list' || !isShort(ask) || !isShort(node)) return undefined
  if (whom === undefined) return order.size === 3 ? { verb: 'list', ask, node, whom } : undefined
  return isWhom(whom) && order.size === 4 ? { verb: 'list', ask, node, whom } : undefined
}

/** Total, as `parseOrder`. One entry that is no socket, and the whole answer is none. */
export function parseAnswer(text: string): Answer | undefined {
  const answer = parseObject(text)
  if (answer === undefined || answer.size !== 5) return undefined
  const [ask, node, part, parts] = ['ask', 'node', 'part', 'parts'].map((name) => answer.get(name))
  const list = answer.get('sockets')
  if (!isShort(ask) || !isShort(node) || !isCount(part) || !isCount(parts)) return undefined
  if (parts < 1 || parts > mostParts || part >= parts || !Array.isArray(list)) return undefined
  const sockets = list.map(readSocket).filter((socket) => socket !== undefined)
  return sockets.length === list.length ? { ask, node, part, parts, sockets } : undefined
}

/** Names somebody without showing the name. */
export function whomOf(kind: 'session' | 'user', name: string): Whom {
  return `${kind}:${digestOf(name)}`
}

function readSocket(value: unknown): RemoteSocket | undefined {
  const socket = membersOf(value)
  if (socket === undefined) return undefined
  const [id, since, route] = [socket.get('id'), socket.get('since'), socket.get('route')]
  const [address, userId, session] = [socket.get('address'), socket.get('userId'), socket.get('session')]
  if (!isSocketId(id) || !isCount(since) || !isText(route)) return undefined
  if (!isTextOrNone(address) || !isTextOrNone(userId) || !isTextOrNone(session)) return undefined
  return { id, since, address, route, userId, session }
}

function parseObject(text: string): Map<string, unknown> | undefined {
  try {
    return membersOf(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** A Map, so that `__proto__` and other inherited names are nothing but names here. */
function membersOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return new Map<string, unknown>(Object.entries(value))
}

function isWhom(value: unknown): value is Whom {
  return typeof value === 'string' && /^(?:socket:[\w-]{22}|(?:session|user):[\w-]{43})$/.test(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= longestText
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || isText(value)
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
