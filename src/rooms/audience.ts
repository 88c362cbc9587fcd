import type { Bytes } from '../outbound/bytes.ts'
import type { Given } from '../outbound/encoded.ts'
import { latestOption } from '../outbound/latest.ts'
import { type EncodeMode, encodeOption, encodeOutgoing, type OutboundPolicy } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import { typeLabel } from '../outbound/type-label.ts'
import { type Underway, underway } from '../outbound/underway.ts'
import type { Session } from '../session/session.ts'
import { roomName } from './room-name.ts'
import type { Member, Rooms } from './rooms.ts'

/** A member that messages can be sent to. */
export interface Recipient extends Member {
  /** What its route declares; members with the same policy share one encoding and one frame. */
  readonly outbound: OutboundPolicy
  /** A promise of `undefined` is a payload that was refused. While a member is behind, the newest with one key is enough. */
  deliver(frame: SharedFrame | Underway<SharedFrame | undefined>, key?: string): void
  outputRefused(error: unknown): void
}

/** Options of one broadcast. */
export interface BroadcastOptions {
  /** For this one message. Default: what each member's route says. */
  readonly encode?: EncodeMode
  /**
   * Names what this message tells the newest of. While a member is behind, an unsent message with the same name is left
   * out, and this one is sent in its stead, last. 1 to 256 characters. Default: each message is sent.
   */
  readonly latest?: string
  /**
   * Asked once per member: `undefined` leaves this one out, another value is sent to this one alone, the message itself
   * is shared with everybody else (ASVS 8.2.3: two viewers of one room see different fields). It must not wait. With
   * more than one node it is refused: a function does not travel. Default: everybody gets the message.
   */
  readonly perMember?: (session: Session | null, message: unknown) => unknown
}

/**
 * The messages that are broadcast, by type, each without its `type`. Empty, anything may be. Declare them once, and `send` of
 * every audience knows them. A member that is markup, `contentMediaType: 'text/html'` in `sends`, is `string | Encoded<'html'>`:
 *
 *     declare module 'fastify-secure-ws' {
 *       interface BroadcastMessages { said: { by: string; text: string } }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add its members.
export interface BroadcastMessages {}

/** A message that an audience of the application takes: a declared one, or bytes; anything where none is declared. */
export type Broadcastable = keyof BroadcastMessages extends never
  ? unknown
  :
      | {
          [Type in keyof BroadcastMessages]: { readonly type: Type } & Given<BroadcastMessages[Type]>
        }[keyof BroadcastMessages]
      | Bytes

/** Some rooms, some sockets left out, and one verb. Immutable: each call makes a new one. */
export interface Audience {
  /**
   * Members of this room too; a member of both gets a message once.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  to(room: string): Audience
  /** Without this socket. */
  except(socket: { readonly id: string }): Audience
  /**
   * Sends to every member, on every node: encoded once per kind of route among the members, framed once, written to
   * each.
   * @throws SecureWsError `SWS_NOT_ENCODABLE`, `SWS_UNDECLARED_TYPE`, `SWS_INVALID_OUTPUT`, `SWS_UNSAFE_URL`, also for
   * the route of one member alone; `SWS_BAD_OPTION` for an unknown `encode`: nobody gets it then
   */
  send(message: Broadcastable, options?: BroadcastOptions): void
}

export interface AudienceSource<M extends Recipient> {
  readonly rooms: Pick<Rooms<M>, 'members'>
  /**
   * Makes ready what the other nodes get, and returns the function that sends it; `undefined` when nobody listens. Throws for
   * what cannot travel, before anybody here has got it.
   */
  readonly prepare?: (
    rooms: readonly string[],
    except: readonly string[],
    message: unknown,
    options: BroadcastOptions,
  ) => (() => void) | undefined
}

export function createAudience<M extends Recipient>(
  source: AudienceSource<M>,
  rooms: readonly string[],
  except: readonly string[] = [],
): Audience {
  return {
    to: (room) => createAudience(source, [...rooms, roomName(room)], except),
    except: (socket) => createAudience(source, rooms, [...except, socket.id]),
    send(message, options = {}) {
      const publish = source.prepare?.(rooms, except, message, options)
      deliverTo(membersOf(source, rooms, except), message, options)
      publish?.()
    },
  }
}

/** Encodes everything before the first byte goes out, so that a mistake of the caller reaches nobody. */
export function deliverTo(members: Iterable<Recipient>, message: unknown, options: BroadcastOptions): void {
  const key = latestOption(options)
  const encodings = new Map<OutboundPolicy, SharedFrame | Underway<SharedFrame | undefined>>()
  const deliveries: [Recipient, SharedFrame | Underway<SharedFrame | undefined>][] = []
  for (const member of members) {
    const own = options.perMember === undefined ? message : options.perMember(member.session, message)
    if (own === undefined && options.perMember !== undefined) continue
    if (own !== message) {
      deliveries.push([member, encode(own, member, options)])
      continue
    }
    let frame = encodings.get(member.outbound)
    if (frame === undefined) {
      frame = encode(message, member, options)
      encodings.set(member.outbound, frame)
    }
    deliveries.push([member, frame])
  }
  for (const [member, frame] of deliveries) member.deliver(frame, key)
}

function encode(
  message: unknown,
  member: Recipient,
  options: BroadcastOptions,
): SharedFrame | Underway<SharedFrame | undefined> {
  const outgoing = encoded(message, member, options)
  const label = typeLabel(message, member.outbound.types)
  if (!(outgoing instanceof Promise)) return new SharedFrame(outgoing, label)
  // Reported once, not once per member.
  const frame = outgoing.then(
    (ready) => new SharedFrame(ready, label),
    (error: unknown) => member.outputRefused(error) as undefined,
  )
  return underway(frame, outgoing.bytes)
}

function encoded(message: unknown, member: Recipient, options: BroadcastOptions): ReturnType<typeof encodeOutgoing> {
  try {
    return encodeOutgoing(message, member.outbound, encodeOption(options))
  } catch (error) {
    member.outputRefused(error)
    throw error
  }
}

function membersOf<M extends Recipient>(
  { rooms }: AudienceSource<M>,
  names: readonly string[],
  except: readonly string[],
): Iterable<M> {
  const [only, ...more] = names
  if (only === undefined) return []
  let members: Iterable<M> = rooms.members(only)
  if (more.length > 0) members = new Set(names.flatMap((name) => [...rooms.members(name)]))
  return except.length === 0 ? members : [...members].filter(({ id }) => !except.includes(id))
}
