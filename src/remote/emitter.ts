import { badOption, SecureWsError } from '../errors.ts'
import { checkKeys, isPlainObject } from '../option-checks.ts'
import { boundStores } from '../relay/bounded-stores.ts'
import type { Bus } from '../relay/bus.ts'
import { leaveBus, useBus } from '../relay/bus-users.ts'
import { checkBus } from '../relay/checked-bus.ts'
import { createOwnWords, freshName } from '../relay/own-words.ts'
import { aboutDenials, createSender, type Sender } from '../relay/sender.ts'
import type { Broadcastable, BroadcastOptions } from '../rooms/audience.ts'
import { packSend } from '../rooms/broadcast.ts'
import { roomName } from '../rooms/room-name.ts'
import { denialOf } from '../session/denials.ts'
import { checkMaxAge } from '../session/max-age.ts'
import { checkSubject, type Subject } from '../session/subject.ts'
import { checkUntil } from '../session/until.ts'
import { everyNode } from './order.ts'
import { checkKicked, type Kicked } from './whom.ts'

/** Options of `createEmitter`. */
export interface EmitterOptions {
  /** The bus of the servers: the same `channel` and `secret` as there. Required. */
  readonly bus: Bus
  /** As `session.maxAge` of the servers: how long a revocation is remembered, in ms. Default 2,592,000,000 (30 days). */
  readonly maxAge?: number
}

/** The rooms that a message goes to. Immutable: each call makes a new one. */
export interface EmitterAudience {
  /**
   * Members of this room too; a member of both gets a message once.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  to(room: string): EmitterAudience
  /** Without this socket. */
  except(socket: { readonly id: string }): EmitterAudience
  /**
   * Sends to every member, on every server. Each server encodes it as the routes of its members say; a route that does not
   * declare it refuses it there, with the audit event `output.refused`. Resolves when the bus has taken it.
   * @throws SecureWsError `SWS_NOT_ENCODABLE`, `SWS_BAD_OPTION`; `SWS_UNAVAILABLE` when the bus is away: nobody got it
   */
  send(message: Broadcastable, options?: Omit<BroadcastOptions, 'perMember'>): Promise<void>
}

/** The voice of a process without a server among the servers: of a worker, a script, a consumer of a queue. */
export interface Emitter {
  /** Everybody in a room, on every server. @throws SecureWsError `SWS_BAD_ROOM` */
  to(room: string): EmitterAudience
  /**
   * Closes every socket of a session, a user or a token with 3000, and refuses who comes back, as `app.secureWs.revoke` does.
   * Resolves when it is kept for every server, and rejects when it is not: this process remembers nothing, so call again.
   * @throws SecureWsError `SWS_BAD_SUBJECT`, `SWS_BAD_OPTION`; `SWS_UNAVAILABLE` when it is not kept
   */
  revoke(subject: Subject, options?: { readonly until?: number }): Promise<void>
  /**
   * Asks the route's and the rooms' `authorize` again for each socket of a subject. Resolves when the bus has taken it.
   * @throws SecureWsError `SWS_BAD_SUBJECT`, `SWS_UNAVAILABLE`
   */
  reauthorize(subject: Subject): Promise<void>
  /**
   * Takes sockets out of one room, as `app.secureWs.kick` does. Resolves when the bus has taken it.
   * @throws SecureWsError `SWS_BAD_SUBJECT`, `SWS_BAD_ROOM`, `SWS_UNAVAILABLE`
   */
  kick(whom: Kicked, room: string): Promise<void>
  /** Waits for what is under way, and closes the bus unless an application of this process uses it, too. */
  close(): Promise<void>
}

/**
 * Speaks to the sockets of servers from a process that has none. It listens to nothing and reads nothing: what it says is
 * signed as a server's own words are, and carried out by the servers.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function createEmitter(options: EmitterOptions): Emitter {
  if (!isPlainObject(options))
    throw badOption('createEmitter', options, 'Write createEmitter({ bus: redisBus({ ... }) }).')
  checkKeys(options, ['bus', 'maxAge'], 'createEmitter')
  const bus = checkBus(options.bus)
  const maxAge = checkMaxAge(options.maxAge, 'createEmitter.maxAge')
  const now = () => Date.now()
  const sender = createSender({ bus, own: createOwnWords(freshName()), now })
  const underWay = new Set<Promise<void>>()
  let closed: Promise<void> | undefined
  useBus(bus)

  /** Rejects with a code of ours, so that a caller can tell "try again" from a mistake of its own. */
  async function over(work: () => Promise<unknown>): Promise<void> {
    if (closed !== undefined) throw new SecureWsError('SWS_CLOSED', 'This emitter is closed.')
    const working = work().then(
      () => {},
      (cause: unknown) => {
        if (cause instanceof SecureWsError) throw cause
        throw new SecureWsError('SWS_UNAVAILABLE', 'The bus has not taken it. Try again.', { cause })
      },
    )
    underWay.add(working)
    await working.finally(() => underWay.delete(working))
  }

  function audience(rooms: readonly string[], except: readonly string[]): EmitterAudience {
    return {
      to: (room) => audience([...rooms, roomName(room)], except),
      except: (socket) => audience(rooms, [...except, socket.id]),
      send: (message, how = {}) =>
        over(async () => {
          const frame = packSend(rooms, except, message, how)
          await Promise.all([...new Set(rooms)].map((room) => sender.send({ kind: 'room', room, frame })))
        }),
    }
  }

  return {
    to: (room) => audience([roomName(room)], []),
    async revoke(subject, { until } = {}) {
      const [kind, name] = checkSubject(subject)
      const at = now()
      checkUntil('revoke.until', until, at)
      const denial = denialOf(kind, name, until ?? at, until ?? at + maxAge)
      await over(() => keep(bus, sender, denial))
    },
    async reauthorize(subject) {
      const [kind, name] = checkSubject(subject)
      const told = denialOf(kind, name, now(), now())
      await over(() => sender.send({ kind: 'identity', verb: 'reauthorize', subjects: [told] }))
    },
    async kick(kicked, room) {
      const order = JSON.stringify({ verb: 'kick', whom: checkKicked(kicked), room: roomName(room) })
      await over(() => sender.send({ kind: 'room', room: everyNode, frame: order }))
    },
    close() {
      closed ??= Promise.allSettled([...underWay]).then(() => leaveBus(bus))
      return closed
    },
  }
}

/**
 * Told before it is stored, because it is urgent, and once more afterwards: a server that read the store in between knows
 * of it by the second. That one may be lost: whoever missed it finds the denial in the store.
 */
async function keep(bus: Bus, sender: Sender, denial: ReturnType<typeof denialOf>): Promise<void> {
  const { stores } = bus
  if (stores === undefined) {
    throw new SecureWsError(
      'SWS_UNAVAILABLE',
      'This bus has no `stores`: a revocation would be kept nowhere. Use redisBus(), or give your bus `stores`.',
    )
  }
  const tell = async () => {
    for (const message of aboutDenials('close', [denial])) await sender.send(message)
  }
  await Promise.all([tell().catch(() => {}), boundStores(stores).denials.deny(denial)])
  await tell().catch(() => {})
}
