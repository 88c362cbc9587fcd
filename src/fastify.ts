// The bare import matters: overloads that are declared later are tried first, so @fastify/websocket's declarations must come
// before ours, whichever of the two packages the user imports first.
import type {} from '@fastify/websocket'
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
} from 'fastify'
import type { CallValidatorTypeProvider } from 'fastify/types/type-provider.js'
import type { WebSocket } from 'ws'
import type { SendOptions } from './connection/secure-socket.ts'
import type { SendCallback } from './connection/sending.ts'
import type { SecureWsInstance } from './instance.ts'
import type { RouteOverrides } from './options.ts'
import type { Encoded } from './outbound/encoded.ts'
import type { Bytes } from './outbound/outbound.ts'
import type { Audience } from './rooms/audience.ts'
import type { Grant } from './rooms/rooms.ts'
import type { Session } from './session/session.ts'

/** Nothing declared. */
type None = Record<never, never>

type IsEmpty<T> = [keyof T] extends [never] ? true : false

/** A string of a declared output may also come as finished markup. */
type OrEncoded<T> = T extends string
  ? T | Encoded<'html'>
  : T extends readonly (infer Item)[]
    ? readonly OrEncoded<Item>[]
    : T extends object
      ? { [Key in keyof T]: OrEncoded<T[Key]> }
      : T

/** The union of what a route may send: one member per declared type. */
export type OutgoingMessage<Provider extends FastifyTypeProvider, Sends> =
  IsEmpty<Sends> extends true
    ? unknown
    : {
        [Type in keyof Sends]: { type: Type } & OrEncoded<CallValidatorTypeProvider<Provider, Sends[Type]>>
      }[keyof Sends]

/** `secureWs.receives` of a route. */
export type ReceiveRules<Provider extends FastifyTypeProvider, Messages, Request> = {
  readonly [Type in keyof Messages]: {
    readonly schema: Messages[Type]
    /** Asked for each message after it was validated; anything but `true` refuses it. */
    readonly authorize?: (
      session: Session,
      message: CallValidatorTypeProvider<Provider, Messages[Type]>,
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
export interface RouteSecureWs<Provider extends FastifyTypeProvider, Messages, Sends, Request> extends RouteOverrides {
  /** May this session open a socket here? Asked before the upgrade; anything but `true` refuses with 403. */
  readonly authorize?: (session: Session, request: Request) => boolean | Promise<boolean>
  readonly receives?: ReceiveRules<Provider, Messages, Request>
  readonly sends?: { readonly [Type in keyof Sends]: { readonly schema: Sends[Type] } }
  /** Media types of binary frames that may come in, told by their first bytes. */
  readonly binary?: readonly string[]
  /** Sub-protocols the server speaks here, in its order of preference. */
  readonly protocols?: readonly string[]
}

/** What every socket has besides what ws gives it. */
interface SecureMembers<Outgoing> {
  /** 128 random bits: names this socket in audit events and in `app.secureWs.sockets()`. */
  readonly id: string
  /** There from the first moment. `null` where `authenticate` is `false`. */
  readonly session: Session
  readonly rooms: ReadonlySet<string>
  /**
   * Strings are text and are encoded; anything else is JSON whose leaves and keys are encoded; bytes pass as they are.
   * @throws SecureWsError for what cannot be encoded or is not declared in `sends`: nothing of it is sent then.
   */
  send(message: Outgoing, callback?: SendCallback): void
  send(message: Outgoing, options: SendOptions | undefined, callback?: SendCallback): void
  /** @throws SecureWsError `SWS_BAD_ROOM`, `SWS_TOO_MANY_ROOMS` */
  join(room: string, grant?: Grant): void
  leave(room: string): void
  /** All members of a room but this socket, on every node. */
  to(room: string): Audience
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
    listener: (message: CallValidatorTypeProvider<Provider, Messages[Type]>) => unknown,
  ): Self
}

type RawSocket<Outgoing> = Omit<WebSocket, 'send'> &
  SecureMembers<Outgoing> & {
    on(event: 'binary', listener: (bytes: Buffer, mediaType: string) => unknown): RawSocket<Outgoing>
  }

type DeclaredSocket<Provider extends FastifyTypeProvider, Messages, Outgoing> = Omit<
  WebSocket,
  'send' | 'onmessage' | 'addEventListener' | Listening
> &
  SecureMembers<Outgoing> & {
    [Verb in Listening]: Listen<Provider, Messages, DeclaredSocket<Provider, Messages, Outgoing>>
  }

/** The socket a handler gets: a `ws` WebSocket with a session, rooms and an encoder; typed by what its route declares. */
export type SecureSocket<
  Provider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Messages = None,
  Sends = None,
> =
  IsEmpty<Messages> extends true
    ? RawSocket<IsEmpty<Sends> extends true ? unknown : OutgoingMessage<Provider, Sends> | Bytes | Blob>
    : DeclaredSocket<
        Provider,
        Messages,
        IsEmpty<Sends> extends true ? unknown : OutgoingMessage<Provider, Sends> | Bytes | Blob
      >

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    secureWs: SecureWsInstance

    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      const Messages = Record<never, never>,
      const Sends = Record<never, never>,
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
          FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        >
        handler: (
          this: FastifyInstance,
          socket: SecureSocket<TypeProvider, Messages, Sends>,
          request: FastifyRequest<
            RouteGeneric,
            RawServer,
            RawRequest,
            SchemaCompiler,
            TypeProvider,
            ContextConfig,
            Logger
          >,
        ) => void | Promise<void>
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }

  interface RouteOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
  > {
    /** For routes with a `wsHandler`; what `receives` declares is checked at run time and not inferred here. */
    secureWs?: RouteSecureWs<FastifyTypeProviderDefault, Record<string, object>, Record<string, object>, FastifyRequest>
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
      const Messages = Record<never, never>,
      const Sends = Record<never, never>,
    >(
      path: string,
      opts: RouteShorthandOptions<
        RawServer,
        RawRequest,
        RawReply,
        RouteGeneric,
        ContextConfig,
        SchemaCompiler,
        TypeProvider,
        Logger
      > & {
        websocket: true
        secureWs?: RouteSecureWs<
          TypeProvider,
          Messages,
          Sends,
          FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        >
      },
      handler: (
        this: FastifyInstance,
        socket: SecureSocket<TypeProvider, Messages, Sends>,
        request: FastifyRequest<
          RouteGeneric,
          RawServer,
          RawRequest,
          SchemaCompiler,
          TypeProvider,
          ContextConfig,
          Logger
        >,
      ) => void | Promise<void>,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }
}
