import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { WebSocket } from 'ws'
import { clock, type RefusalRecord, type SocketRecord, type Violation } from './history.ts'
import { tokens } from './tokens.ts'

/** Somebody who has signed in, and may open a socket on any node. */
export interface SignedIn {
  readonly session: string
  readonly user: string
  readonly authenticatedAt: number
  /** With a JWT, which ends and can be replaced; else the application knows the session by its name. */
  readonly byToken: boolean
  expiresAt?: number
}

export interface Client {
  readonly record: SocketRecord
  readonly signedIn: SignedIn
  readonly open: boolean
  send(message: object): void
  /** `undefined`: the socket has gone before the answer. */
  ask(message: object): Promise<unknown>
  close(): void
}

const key = new TextEncoder().encode(tokens.secret)

/** A token that ends in `life` ms, or a little earlier: these claims count in seconds. */
export async function tokenOf({ session, user, authenticatedAt }: SignedIn, life: number) {
  const exp = Math.floor((Date.now() + life) / 1_000)
  const token = await new SignJWT({ sid: session, auth_time: authenticatedAt / 1_000 })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setIssuer(tokens.issuer)
    .setAudience(tokens.audience)
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime(exp)
    .sign(key)
  return { token, expiresAt: exp * 1_000 }
}

export interface Place {
  readonly node: number
  readonly port: number
  readonly number: number
  /** Told of each message that was heard from a room. */
  readonly onSaid: (client: Client, room: string, made: number) => void
}

/** Opens a socket, or says why there is none. */
export async function openClient(signedIn: SignedIn, place: Place): Promise<Client | RefusalRecord> {
  const { session, user, authenticatedAt, byToken } = signedIn
  const { node, port, number, onSaid } = place
  const headers: Record<string, string> = { 'x-number': String(number) }
  if (byToken) {
    const { token, expiresAt } = await tokenOf(signedIn, 4_000 + Math.random() * 8_000)
    signedIn.expiresAt = expiresAt
    headers.authorization = `Bearer ${token}`
  } else {
    Object.assign(headers, { 'x-session': session, 'x-user': user, 'x-authenticated-at': String(authenticatedAt) })
  }
  const askedAt = clock()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers, perMessageDeflate: false })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  socket.once('open', () => resolve(101))
  socket.on('error', reject)
  socket.once('unexpected-response', (request, response) => {
    resolve(response.statusCode ?? 0)
    response.resume()
    request.destroy()
  })
  // Before the first turn of the loop: what comes with the 101 is heard as well.
  const record: SocketRecord = {
    number,
    node,
    session,
    user,
    authenticatedAt,
    askedAt,
    openedAt: askedAt,
    lastMade: 0,
    lastHeard: 0,
    lastHandled: 0,
    ...(signedIn.expiresAt !== undefined && { expiresAt: signedIn.expiresAt }),
  }
  const answers = new Map<string, (value: unknown) => void>()
  let asked = 0
  const client: Client = {
    record,
    signedIn,
    get open() {
      return socket.readyState === WebSocket.OPEN
    },
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    },
    ask(message) {
      const answer = Promise.withResolvers<unknown>()
      if (socket.readyState !== WebSocket.OPEN) return Promise.resolve(undefined)
      const id = String(asked++)
      answers.set(id, answer.resolve)
      socket.send(JSON.stringify({ ...message, id }))
      return answer.promise
    },
    close: () => socket.close(1000),
  }
  socket.on('message', (payload: Buffer) => {
    const message = JSON.parse(payload.toString())
    record.lastHeard = clock()
    if (message.type === 'said') {
      record.lastMade = Math.max(record.lastMade, message.made)
      onSaid(client, message.room, message.made)
    } else if (message.id !== undefined) {
      answers.get(message.id)?.(message.type === 'reply' ? message.value : undefined)
      answers.delete(message.id)
    }
  })
  socket.on('close', (code) => {
    record.closed = { at: clock(), date: Date.now(), code }
    for (const answer of answers.values()) answer(undefined)
    answers.clear()
  })
  const status = await promise.catch(() => 0)
  if (status !== 101) {
    const { expiresAt } = signedIn
    return { node, session, user, authenticatedAt, askedAt, at: clock(), date: Date.now(), status, expiresAt }
  }
  record.openedAt = clock()
  return client
}

/** Who may not hear a room any more, and since when. */
export interface Parting {
  readonly calledAt: number
  readonly since: number
}

/** Holds what is heard in rooms against kicks and rights that were taken away. */
export class RoomWatch {
  readonly forbidden = new Map<string, Parting>()
  readonly kicked = new Map<string, Parting>()
  readonly violations: Violation[] = []
  /** When a socket was last let into a room, or may be about to be. */
  readonly #joined = new WeakMap<SocketRecord, Map<string, number>>()
  readonly #rightsBound: number

  constructor(rightsBound: number) {
    this.#rightsBound = rightsBound
  }

  joined({ record }: Client, room: string, at: number): void {
    const rooms = this.#joined.get(record) ?? new Map<string, number>()
    this.#joined.set(record, rooms.set(room, at))
  }

  /** @param partedSince when a node was last parted from Redis: an order that it missed is not sent again */
  heard({ record }: Client, room: string, made: number, partedSince: number): void {
    const grant = `${record.user} ${room}`
    const forbidden = this.forbidden.get(grant)
    const bound = Math.max(forbidden?.since ?? 0, partedSince) + this.#rightsBound
    if (forbidden !== undefined && made > bound)
      this.violations.push({ what: `heard ${room} without the right to`, socket: record, late: made - bound })
    const kicked = this.kicked.get(grant)
    if (kicked === undefined || partedSince > kicked.calledAt - 1_000) return
    if ((this.#joined.get(record)?.get(room) ?? 0) >= kicked.calledAt || record.openedAt > kicked.calledAt) return
    if (made > kicked.since + 1_000)
      this.violations.push({ what: `heard ${room} after a kick`, socket: record, late: made - kicked.since - 1_000 })
  }
}

/** Waits about so long, in ms. */
export const about = (ms: number): Promise<void> => sleep(ms * (0.2 + Math.random() * 1.6))
