// The type comes from @fastify/websocket, not from ws, for the import's sake: overloads that are declared later are tried
// first, so that package's declarations must be read before ours, whichever of the two the user imports first. An empty
// `import type {}` would not do: it does not get into the emitted declarations.
import type { WebSocket } from '@fastify/websocket'
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
} from 'fastify'
import type { CallSerializerTypeProvider, CallValidatorTypeProvider } from 'fastify/types/type-provider.js'
import type { AuthenticateOption } from './authentication/authentication.ts'
import type { SendCallback } from './connection/sending.ts'
import type { SecureWsInstance } from './decorator.ts'
import type { RouteOverrides } from './options/options.ts'
import type { Bytes } from './outbound/bytes.ts'
import type { Encoded } from './outbound/encoded.ts'
import type { BroadcastOptions } from './rooms/audience.ts'
import type { Grant } from './rooms/rooms.ts'
import type { PlainMessage } from './schema/plain-message.ts'
import type { Session } from './session/session.ts'
import type { SendOptions } from './ws/socket.ts'

/** What `Messages` and `Sends` are where a route declares nothing, or where type arguments are written and nothing is inferred. */
type Anything = Record<string, unknown>

type IsDeclared<T> = string extends keyof T ? false : true

/**
 * `receives: {}` is a declaration, too: nothing may come in. TypeScript infers nothing for `Messages` from it, as if it had
 * not been written, but `never` for the names of its members.
 */
interface EmptyDeclarations<Received extends PropertyKey, Sent extends PropertyKey> {
  readonly receives?: { readonly [Type in Received]: unknown }
  readonly sends?: { readonly [Type in Sent]: unknown }
}

type Declared<Types, Names> = [Names] extends [never] ? Record<never, never> : Types

/** What the type provider says; where it says nothing (Fastify's default provider), what the schema itself says. */
type ReadAs<Provided, Schema> = unknown extends Provided ? PlainMessage<Schema> : Provided

/** The parts of the request, read the same way; what the user wrote as type arguments stands. */
type PlainPart<Provider extends FastifyTypeProvider, Schema> =
  unknown extends CallValidatorTypeProvider<Provider, Schema> ? PlainMessage<Schema> : unknown

type RouteRequest<
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
type IncomingMessage<Provider extends FastifyTypeProvider, Schema> = ReadAs<
  CallValidatorTypeProvider<Provider, Schema>,
  Schema
>

/** A string of a declared output may also come as finished markup. */
type OrEncoded<T> = T extends string
  ? string extends T
    ? T | Encoded<'html'>
    : T
  : T extends readonly unknown[]
    ? { readonly [Index in keyof T]: OrEncoded<T[Index]> }
    : T extends object
      ? { [Key in keyof T]: OrEncoded<T[Key]> }
      : T

/** Nothing can be said of it: any members. */
type OrAnything<T> = unknown extends T ? Anything : T

/** The union of what a route may send: one member per declared type, and bytes, which no schema describes. */
export type OutgoingMessage<Provider extends FastifyTypeProvider, Sends> =
  IsDeclared<Sends> extends false
    ? unknown
    :
        | {
            [Type in keyof Sends]: { readonly type: Type } & OrEncoded<
              OrAnything<ReadAs<CallSerializerTypeProvider<Provider, Sends[Type]>, Sends[Type]>>
            >
          }[keyof Sends]
        | Bytes
        | Blob

/** Anonymous routes have no session; `Auth` is what the route itself says, not what it inherits. */
type SessionOf<Auth> = [Auth] extends [false] ? null : Session

/** `secureWs.receives` of a route. */
export type ReceiveRules<Provider extends FastifyTypeProvider, Messages, Auth, Request> = {
  readonly [Type in keyof Messages]: {
    readonly schema: Messages[Type]
    /** Asked for each message after it was validated; anything but `true` refuses it. */
    readonly authorize?: (
      session: SessionOf<Auth>,
      message: IncomingMessage<Provider, Messages[Type]>,
      request: Request,
    ) => boolean | Promise<boolean>
    /** Token bucket per socket. */
    readonly rate?: { readonly perSecond: number; readonly burst?: number }
    /** Messages carry `nonce` and `at` (ms); each nonce counts once, `at` may be off by `window` ms. */
    readonly replay?: { readonly window: number }
    /** The session must have been authenticated within so many ms. */
    readonly freshAuth?: number
  }
}

/** `secureWs` of a route. */
export interface RouteSecureWs<Provider extends FastifyTypeProvider, Messages, Sends, Auth, Request>
  extends Omit<RouteOverrides, 'authenticate'> {
  readonly authenticate?: Auth
  /** May this session open a socket here? Asked before the upgrade; anything but `true` refuses with 403. */
  readonly authorize?: (session: SessionOf<Auth>, request: Request) => boolean | Promise<boolean>
  readonly receives?: ReceiveRules<Provider, Messages, Auth, Request>
  readonly sends?: { readonly [Type in keyof Sends]: { readonly schema: Sends[Type] } }
  /** Media types of binary frames that may come in, told by their first bytes. */
  readonly binary?: readonly string[]
  /** Sub-protocols the server speaks here, in its order of preference. */
  readonly protocols?: readonly string[]
}

/** Some rooms, as an `Audience`, and what the socket's own route may send to them. */
export interface RouteAudience<Outgoing> {
  to(room: string): RouteAudience<Outgoing>
  except(socket: { readonly id: string }): RouteAudience<Outgoing>
  /** @throws SecureWsError when the message cannot be encoded, or a member's route does not declare it: nobody gets it then. */
  send(message: Outgoing, options?: RouteBroadcastOptions<Outgoing>): void
}

interface RouteBroadcastOptions<Outgoing> extends Omit<BroadcastOptions, 'perMember'> {
  /** As for any `Audience`; what it returns in the message's stead is declared, too. */
  readonly perMember?: (session: Session | null, message: Outgoing) => Outgoing | undefined
}

/** What every socket has besides what ws gives it. */
interface SecureMembers<Outgoing, Auth> {
  /** 128 random bits: names this socket in audit events and in `app.secureWs.sockets()`. */
  readonly id: string
  /** There from the first moment. `null` where `authenticate` is `false`. */
  readonly session: SessionOf<Auth>
  readonly rooms: ReadonlySet<string>
  /**
   * Strings are text and are encoded; anything else is JSON whose leaves and keys are encoded; bytes pass as they are.
   * @throws SecureWsError for what cannot be encoded or is not declared in `sends`: nothing of it is sent then.
   */
  send(message: Outgoing, callback?: SendCallback): void
  send(message: Outgoing, options: SendOptions | undefined, callback?: SendCallback): void
  /**
   * With an `authorize` it is asked first: true when the socket is in the room. The promise never rejects.
   * @throws SecureWsError `SWS_BAD_ROOM`, `SWS_TOO_MANY_ROOMS`, `SWS_BAD_OPTION`, at the call
   */
  join(room: string, grant: Grant & { readonly authorize: NonNullable<Grant['authorize']> }): Promise<boolean>
  join(room: string, grant?: Grant & { readonly authorize?: undefined }): void
  leave(room: string): void
  /** All members of a room but this socket, on every node. */
  to(room: string): RouteAudience<Outgoing>
}

type Listening = 'on' | 'once' | 'addListener' | 'prependListener' | 'prependOnceListener' | 'off' | 'removeListener'

/** Listens to declared messages by their type. There is no raw `message` event: undeclared messages reach nobody. */
interface Listen<Provider extends FastifyTypeProvider, Messages, Self> {
  (event: 'close', listener: (code: number, reason: Buffer) => void): Self
  (event: 'error', listener: (error: Error) => void): Self
  (event: 'ping' | 'pong', listener: (payload: Buffer) => void): Self
  (event: 'binary', listener: (bytes: Buffer, mediaType: string) => unknown): Self
  <Type extends keyof Messages & string>(
    type: Type,
    listener: (message: IncomingMessage<Provider, Messages[Type]>) => unknown,
  ): Self
}

/** ws's own members last: of two overloads that fit, the first is taken. Without `sends` it is a `WebSocket` to everybody. */
type RawSocket<Sends, Outgoing, Auth> = SecureMembers<Outgoing, Auth> & {
  on(event: 'binary', listener: (bytes: Buffer, mediaType: string) => unknown): RawSocket<Sends, Outgoing, Auth>
} & (IsDeclared<Sends> extends true ? Omit<WebSocket, 'send'> : WebSocket)

type DeclaredSocket<Provider extends FastifyTypeProvider, Messages, Outgoing, Auth> = Omit<
  WebSocket,
  'send' | 'onmessage' | 'addEventListener' | Listening
> &
  SecureMembers<Outgoing, Auth> & {
    [Verb in Listening]: Listen<Provider, Messages, DeclaredSocket<Provider, Messages, Outgoing, Auth>>
  }

/** The socket a handler gets: a `ws` WebSocket with a session, rooms and an encoder; typed by what its route declares. */
export type SecureSocket<
  Provider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Messages = Anything,
  Sends = Anything,
  Auth = AuthenticateOption,
> =
  IsDeclared<Messages> extends true
    ? DeclaredSocket<Provider, Messages, OutgoingMessage<Provider, Sends>, Auth>
    : RawSocket<Sends, OutgoingMessage<Provider, Sends>, Auth>

/** A handler's own failure is an audit event; what it returns is nobody's. */
type SocketHandler<Socket, Request> = (this: FastifyInstance, socket: Socket, request: Request) => unknown

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    secureWs: SecureWsInstance

    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      const Messages = Anything,
      const Sends = Anything,
      Received extends PropertyKey = string,
      Sent extends PropertyKey = string,
      const Auth extends AuthenticateOption = AuthenticateOption,
    >(
      opts: Omit<
        RouteOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        'handler' | 'websocket' | 'wsHandler' | 'secureWs'
      > & {
        websocket: true
        secureWs?: RouteSecureWs<
          TypeProvider,
          Messages,
          Sends,
          Auth,
          RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        > &
          EmptyDeclarations<Received, Sent>
        handler: SocketHandler<
          SecureSocket<TypeProvider, Declared<Messages, Received>, Declared<Sends, Sent>, Auth>,
          RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** One path for both: `handler` answers plain requests, `wsHandler` gets the sockets. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      const Messages = Anything,
      const Sends = Anything,
      Received extends PropertyKey = string,
      Sent extends PropertyKey = string,
      const Auth extends AuthenticateOption = AuthenticateOption,
    >(
      opts: Omit<
        RouteOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        'websocket' | 'wsHandler' | 'secureWs'
      > & {
        websocket?: false
        secureWs?: RouteSecureWs<
          TypeProvider,
          Messages,
          Sends,
          Auth,
          RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        > &
          EmptyDeclarations<Received, Sent>
        wsHandler: SocketHandler<
          SecureSocket<TypeProvider, Declared<Messages, Received>, Declared<Sends, Sent>, Auth>,
          RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }

  interface RouteShorthandOptions<RawServer extends RawServerBase = RawServerDefault> {
    /**
     * Of WebSocket routes only. Without this line an overload that knows nothing of `secureWs` would fit as well while
     * TypeScript looks for the type of `socket`, which does not mind a property too many.
     */
    secureWs?: never
  }

  interface RouteShorthandMethod<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
  > {
    <
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      const Messages = Anything,
      const Sends = Anything,
      Received extends PropertyKey = string,
      Sent extends PropertyKey = string,
      const Auth extends AuthenticateOption = AuthenticateOption,
    >(
      path: string,
      opts: Omit<
        RouteShorthandOptions<
          RawServer,
          RawRequest,
          RawReply,
          RouteGeneric,
          ContextConfig,
          SchemaCompiler,
          TypeProvider,
          Logger
        >,
        'secureWs'
      > & {
        websocket: true
        secureWs?: RouteSecureWs<
          TypeProvider,
          Messages,
          Sends,
          Auth,
          RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        > &
          EmptyDeclarations<Received, Sent>
      },
      handler: SocketHandler<
        SecureSocket<TypeProvider, Declared<Messages, Received>, Declared<Sends, Sent>, Auth>,
        RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
      >,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }
}
