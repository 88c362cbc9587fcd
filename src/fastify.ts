// The type comes from @fastify/websocket, not from ws, for the import's sake: overloads that are declared later are tried
// first, so that package's declarations must be read before ours, whichever of the two the user imports first. An empty
// `import type {}` would not do: it does not get into the emitted declarations.
import type { WebSocket } from '@fastify/websocket'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawRequestDefaultExpression,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import type { CallSerializerTypeProvider, CallValidatorTypeProvider } from 'fastify/types/type-provider.js'
import type { AuthenticateOption } from './authentication/authentication.ts'
import type { SendCallback, SendOptions } from './connection/port.ts'
import type { AskOptions } from './connection/requests.ts'
import type { RouteOverrides } from './options/options.ts'
import type { Bytes } from './outbound/bytes.ts'
import type { Encoded, Given, OrEncoded } from './outbound/encoded.ts'
import type { BroadcastOptions } from './rooms/audience.ts'
import type { Grant } from './rooms/rooms.ts'
import type { PlainMessage } from './schema/plain-message.ts'
import type { StandardTyped } from './schema/standard-schema.ts'
import type { Session } from './session/session.ts'

/** What `Messages` and `Sends` are where a route declares nothing, or where type arguments are written and nothing is inferred. */
export type Anything = Record<string, unknown>

type IsDeclared<T> = string extends keyof T ? false : true

/**
 * `receives: {}` is a declaration, too: nothing may come in. TypeScript infers nothing for `Messages` from it, as if it had
 * not been written, but `never` for the names of its members.
 */
export interface EmptyDeclarations<Received extends PropertyKey, Sent extends PropertyKey> {
  readonly receives?: { readonly [Type in Received]: unknown }
  readonly sends?: { readonly [Type in Sent]: unknown }
}

/** Read apart from the messages themselves: TypeScript infers one type from each member of a rule, not two from one. */
export interface DeclaredReplies<Replies> {
  readonly receives?: { readonly [Type in keyof Replies]: { readonly reply?: Replies[Type] } }
}

/** The same of what a client answers, when it is asked. */
export interface DeclaredAnswers<Answers> {
  readonly sends?: { readonly [Type in keyof Answers]: { readonly reply?: Answers[Type] } }
}

/** The types with a declared answer. Where nothing is declared, nothing is known, and nobody can be asked. */
export type Asked<Answers> = {
  [Type in keyof Answers]: unknown extends Answers[Type] ? never : Type
}[keyof Answers]

export type Declared<Types, Names> = [Names] extends [never] ? Record<never, never> : Types

/** What the type provider says; where it says nothing (Fastify's default provider), what the schema itself says. */
type ReadAs<Provided, Schema> =
  Schema extends StandardTyped<infer Output> ? Output : unknown extends Provided ? PlainMessage<Schema> : Provided

/** The parts of the request, read the same way; what the user wrote as type arguments stands. */
type PlainPart<Provider extends FastifyTypeProvider, Schema> =
  unknown extends CallValidatorTypeProvider<Provider, Schema> ? PlainMessage<Schema> : unknown

export type RouteRequest<
  Generic extends RouteGenericInterface,
  RawServer extends RawServerBase,
  RawRequest extends RawRequestDefaultExpression<RawServer>,
  Schema extends FastifySchema,
  Provider extends FastifyTypeProvider,
  ContextConfig,
  Logger extends FastifyBaseLogger,
> = FastifyRequest<
  Generic & {
    Params: PlainPart<Provider, Schema['params']>
    Querystring: PlainPart<Provider, Schema['querystring']>
    Headers: PlainPart<Provider, Schema['headers']>
  },
  RawServer,
  RawRequest,
  Schema,
  Provider,
  ContextConfig,
  Logger
>

/** A message as its listener gets it: without `type` and `id`. */
export type IncomingMessage<Provider extends FastifyTypeProvider, Schema> = ReadAs<
  CallValidatorTypeProvider<Provider, Schema>,
  Schema
>

/** A value that leaves, as its schema describes it. */
export type SentMessage<Provider extends FastifyTypeProvider, Schema> = ReadAs<
  CallSerializerTypeProvider<Provider, Schema>,
  Schema
>

/**
 * A value as it may be given to leave: markup where the schema says `contentMediaType: 'text/html'`. What a library infers does not
 * tell where that is.
 */
type Sendable<Provider extends FastifyTypeProvider, Schema> =
  Schema extends StandardTyped<infer Output>
    ? OrEncoded<Output>
    : unknown extends CallSerializerTypeProvider<Provider, Schema>
      ? Given<PlainMessage<Schema, Encoded<'html'>>>
      : OrEncoded<CallSerializerTypeProvider<Provider, Schema>>

/** The return value of a listener: what its declared `reply` describes, at once or as a promise; anything where none is declared. */
type ReplyOf<Provider extends FastifyTypeProvider, Replies, Type> = Type extends keyof Replies
  ? unknown extends Replies[Type]
    ? unknown
    : OrPromise<Sendable<Provider, Replies[Type]>>
  : unknown

type OrPromise<T> = T | Promise<T>

/** Nothing can be said of it: any members. */
type OrAnything<T> = unknown extends T ? Anything : T

/** The union of what a route may send: one member per declared type, and bytes, which no schema describes. */
export type OutgoingMessage<Provider extends FastifyTypeProvider, Sends> =
  IsDeclared<Sends> extends false
    ? unknown
    :
        | {
            [Type in keyof Sends]: { readonly type: Type } & OrAnything<Sendable<Provider, Sends[Type]>>
          }[keyof Sends]
        | Bytes
        | Blob

/**
 * Options of the registration that types depend on: the type of a route cannot see the registration. Declare them once:
 *
 *     declare module 'fastify-secure-ws' {
 *       interface RegisteredOptions { authenticate: false } // socket.session is null where a route says nothing else
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add its members.
export interface RegisteredOptions {}

/** Anonymous routes have no session. `Auth` is what the route itself says; where it says nothing, the plugin does. */
type SessionOf<Auth> = [Auth] extends [false]
  ? null
  : AuthenticateOption extends Auth
    ? RegisteredOptions extends { readonly authenticate: false }
      ? null
      : Session
    : Session

/**
 * The `receives` of a route: a rule for each type of message that may come in. A type without a rule is refused with
 * `SWS_UNKNOWN_TYPE`, and so is one that its rule does not admit, with the code that the member names.
 */
export type ReceiveRules<Provider extends FastifyTypeProvider, Messages, Auth, Request> = {
  readonly [Type in keyof Messages]: {
    /**
     * JSON Schema, TypeBox, or a schema of zod, valibot or arktype: of the message, without `type` and `id`. Required; else `SWS_INVALID_MESSAGE`. Properties
     * that are not declared are refused.
     */
    readonly schema: Messages[Type]
    /**
     * Schema of what the listener returns, of any kind of value; the reply holds what it declares and nothing else. Without it,
     * a reply holds what the listener returned; on a route with `sends`, it has no value. Default: not declared.
     */
    readonly reply?: unknown
    /**
     * Asked for each message after it was validated; anything but `true` refuses it with `SWS_FORBIDDEN`. Default:
     * whoever is on the route may.
     */
    readonly authorize?: (
      session: SessionOf<Auth>,
      message: IncomingMessage<Provider, Messages[Type]>,
      request: Request,
    ) => boolean | Promise<boolean>
    /**
     * A pace for this type, per socket, on top of `limits.messages`; else `SWS_TOO_FAST`. `burst` is `perSecond` where
     * it is left out. Default: none of its own.
     */
    readonly rate?: { readonly perSecond: number; readonly burst?: number }
    /**
     * Asks for `nonce` and `at` (ms since the epoch) in each message: each nonce counts once, `at` may be off by
     * `window` ms; else `SWS_REPLAYED`. Default: neither is asked for.
     */
    readonly replay?: { readonly window: number }
    /**
     * Milliseconds within which the session must have been authenticated (`session.authenticatedAt`); else
     * `SWS_STEP_UP_REQUIRED`. Default: no matter when.
     */
    readonly freshAuth?: number
  }
}

/** The `secureWs` of a route. What is left out is what the plugin says. */
export interface RouteSecureWs<Provider extends FastifyTypeProvider, Messages, Sends, Auth, Request>
  extends Omit<RouteOverrides, 'authenticate'> {
  /** As for the plugin, for this route alone. Default: the one of the plugin. */
  readonly authenticate?: Auth
  /**
   * May this session open a socket here? Asked before the upgrade, and again at each revalidation; anything but `true`
   * refuses with 403, later on with 3003. Default: whoever is authenticated may.
   */
  readonly authorize?: (session: SessionOf<Auth>, request: Request) => boolean | Promise<boolean>
  /** Types of messages that may come in. Left out, frames come in raw, as `message` events. */
  readonly receives?: ReceiveRules<Provider, Messages, Auth, Request>
  /**
   * Types of messages that may go out, each with its schema: properties that are not declared are dropped, types that
   * are not throw `SWS_UNDECLARED_TYPE`. Left out, anything may be sent.
   */
  readonly sends?: {
    readonly [Type in keyof Sends]: {
      readonly schema: Sends[Type]
      /**
       * Schema of what a client answers when `socket.request` asks it, of any kind of value, as strict as that of a received message.
       * Needs `receives`, and be it `{}`. Default: nobody is asked.
       */
      readonly reply?: unknown
    }
  }
  /**
   * Fate of a message of which one field of HTML is refused (too large, too deep, too slow): it is not sent, or it is sent with
   * `<span data-refused=""></span>` as that field. Default `'refuse'`.
   */
  readonly refusedHtml?: 'refuse' | 'mark'
  /**
   * Media types of binary frames that may come in, told by their first bytes. Left out, a route that declares
   * `receives` refuses every binary frame.
   */
  readonly binary?: readonly string[]
  /** Sub-protocols that the server speaks here, in its order of preference (RFC 6455 section 1.9). Default: none. */
  readonly protocols?: readonly string[]
}

/** Some rooms, as an `Audience`, and what the socket's own route may send to them. */
export interface RouteAudience<Outgoing> {
  /**
   * Members of this room too.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  to(room: string): RouteAudience<Outgoing>
  /** Without this socket. */
  except(socket: { readonly id: string }): RouteAudience<Outgoing>
  /**
   * Sends to every member, on every node: encoded once per kind of route among the members, framed once, written to
   * each.
   * @throws SecureWsError `SWS_NOT_ENCODABLE`, `SWS_UNDECLARED_TYPE`, `SWS_INVALID_OUTPUT`, `SWS_UNSAFE_URL`, also for
   * the route of one member alone; `SWS_BAD_OPTION` for an unknown `encode`: nobody gets it then
   */
  send(message: Outgoing, options?: RouteBroadcastOptions<Outgoing>): void
}

interface RouteBroadcastOptions<Outgoing> extends Omit<BroadcastOptions, 'perMember'> {
  /** As for any `Audience`; what it returns in the message's stead is declared, too. */
  readonly perMember?: (session: Session | null, message: Outgoing) => Outgoing | undefined
}

/** What every socket has besides what ws gives it. */
interface SecureMembers<Outgoing, Auth, Ask> {
  /** 128 random bits: names this socket in audit events and in `app.secureWs.sockets()`. */
  readonly id: string
  /**
   * The session of the socket, there from the first moment. `null` where `authenticate` is `false`. Another object once
   * it was asked about again.
   */
  readonly session: SessionOf<Auth>
  /** The rooms that this socket is in now: a copy. */
  readonly rooms: ReadonlySet<string>
  /**
   * Sends one message. Strings are text and are encoded; anything else is JSON whose leaves and keys are encoded; bytes
   * pass as they are. `callback` hears when the kernel has it, or of an error: `SWS_CLOSED` on a socket that is closing
   * and for what a slow reader does not get, `SWS_SANITIZE_REFUSED` for HTML that was not cleaned in time.
   * @throws SecureWsError `SWS_NOT_ENCODABLE`; on a route with `sends` also `SWS_UNDECLARED_TYPE`,
   * `SWS_INVALID_OUTPUT`, `SWS_UNSAFE_URL`; `SWS_BAD_OPTION` for an unknown `encode`: nothing of it is sent then
   */
  send(message: Outgoing, callback?: SendCallback): void
  send(message: Outgoing, options: SendOptions | undefined, callback?: SendCallback): void
  /**
   * Sends a message of a type with a declared `reply`, and resolves with the answer of the client, which the schema has admitted. It
   * rejects once, and never throws.
   * @throws SecureWsError `SWS_NO_ANSWER` after `timeout`, `SWS_DECLINED`, `SWS_INVALID_ANSWER`, `SWS_TOO_MANY_REQUESTS`, `SWS_CLOSED`
   * when the socket has ended; as `send` for what cannot be sent
   */
  readonly request: Ask
  /**
   * Adds this socket to a room; a second time replaces the grant. On a socket that has ended it does nothing. With an
   * `authorize` it is asked first: true when the socket is in the room. The promise never rejects.
   * @throws SecureWsError `SWS_BAD_ROOM`, `SWS_TOO_MANY_ROOMS`, `SWS_BAD_OPTION`, at the call
   */
  join(room: string, grant: Grant & { readonly authorize: NonNullable<Grant['authorize']> }): Promise<boolean>
  join(room: string, grant?: Grant & { readonly authorize?: undefined }): void
  /**
   * Takes this socket out of a room. In a room that it is not in, nothing happens.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  leave(room: string): void
  /**
   * All members of a room but this socket, on every node.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  to(room: string): RouteAudience<Outgoing>
  /**
   * All members of a room, this socket too if it is one of them, on every node.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  room(room: string): RouteAudience<Outgoing>
}

/** A question to the client of one socket. */
export type Ask<Provider extends FastifyTypeProvider, Sends, Answers> = <
  Type extends Asked<Answers> & keyof Sends & string,
>(
  type: Type,
  body: OrAnything<Sendable<Provider, Sends[Type]>>,
  options?: AskOptions,
) => Promise<IncomingMessage<Provider, Answers[Type]>>

type Listening = 'on' | 'once' | 'addListener' | 'prependListener' | 'prependOnceListener' | 'off' | 'removeListener'

/** Listens to declared messages by their type. There is no raw `message` event: undeclared messages reach nobody. */
interface Listen<Provider extends FastifyTypeProvider, Messages, Replies, Self> {
  /** The connection is gone: the close code, and the reason that the client gave or that this package sent. */
  (event: 'close', listener: (code: number, reason: Buffer) => void): Self
  /**
   * The client broke the protocol or the connection failed: ws has answered it, and `close` follows. Without a listener
   * nothing happens.
   */
  (event: 'error', listener: (error: Error) => void): Self
  /** A control frame came in; a ping has been answered. */
  (event: 'ping' | 'pong', listener: (payload: Buffer) => void): Self
  /** A binary frame of a media type that `binary` lists. */
  (event: 'binary', listener: (bytes: Buffer, mediaType: string) => unknown): Self
  /**
   * A declared message of this type, validated. On a message with an `id` the returned value is sent back as `reply`.
   * The next message waits for the promise.
   */
  <Type extends keyof Messages & string>(
    type: Type,
    listener: (message: IncomingMessage<Provider, Messages[Type]>) => ReplyOf<Provider, Replies, Type>,
  ): Self
}

/** ws's own members last: of two overloads that fit, the first is taken. Without `sends` it is a `WebSocket` to everybody. */
type RawSocket<Sends, Outgoing, Auth, Ask> = SecureMembers<Outgoing, Auth, Ask> & {
  on(event: 'binary', listener: (bytes: Buffer, mediaType: string) => unknown): RawSocket<Sends, Outgoing, Auth, Ask>
} & (IsDeclared<Sends> extends true ? Omit<WebSocket, 'send'> : WebSocket)

type DeclaredSocket<Provider extends FastifyTypeProvider, Messages, Outgoing, Auth, Replies, Ask> = Omit<
  WebSocket,
  'send' | 'onmessage' | 'addEventListener' | Listening
> &
  SecureMembers<Outgoing, Auth, Ask> & {
    [Verb in Listening]: Listen<
      Provider,
      Messages,
      Replies,
      DeclaredSocket<Provider, Messages, Outgoing, Auth, Replies, Ask>
    >
  }

/** The socket a handler gets: a `ws` WebSocket with a session, rooms and an encoder; typed by what its route declares. */
export type SecureSocket<
  Provider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Messages = Anything,
  Sends = Anything,
  Auth = AuthenticateOption,
  Replies = Anything,
  Answers = Anything,
> =
  IsDeclared<Messages> extends true
    ? DeclaredSocket<Provider, Messages, OutgoingMessage<Provider, Sends>, Auth, Replies, Ask<Provider, Sends, Answers>>
    : RawSocket<Sends, OutgoingMessage<Provider, Sends>, Auth, Ask<Provider, Sends, Answers>>

/** A handler's own failure is an audit event; what it returns is nobody's. */
export type SocketHandler<Socket, Request> = (this: FastifyInstance, socket: Socket, request: Request) => unknown
