// What Fastify's own types say about socket routes. `fastify.ts` reads the declarations of @fastify/websocket first: overloads
// that are declared later are tried first.
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
import type { AuthenticateOption } from './authentication/authentication.ts'
import type { SecureWsInstance } from './decorator.ts'
import type {
  Anything,
  Declared,
  DeclaredAnswers,
  DeclaredReplies,
  EmptyDeclarations,
  RouteRequest,
  RouteSecureWs,
  SecureSocket,
  SocketHandler,
} from './fastify.ts'

export type { SecureSocket }

declare module 'fastify' {
  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    secureWs: SecureWsInstance

    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      const Messages = Anything,
      const Sends = Anything,
      const Replies = Anything,
      Received extends PropertyKey = string,
      Sent extends PropertyKey = string,
      const Auth extends AuthenticateOption = AuthenticateOption,
      const Answers = Anything,
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
          DeclaredReplies<Replies> &
          DeclaredAnswers<Answers> &
          EmptyDeclarations<Received, Sent>
        handler: SocketHandler<
          SecureSocket<TypeProvider, Declared<Messages, Received>, Declared<Sends, Sent>, Auth, Replies, Answers>,
          RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
        >
      },
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A path for both: `handler` answers plain requests, `wsHandler` gets the sockets. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      const Messages = Anything,
      const Sends = Anything,
      const Replies = Anything,
      Received extends PropertyKey = string,
      Sent extends PropertyKey = string,
      const Auth extends AuthenticateOption = AuthenticateOption,
      const Answers = Anything,
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
          DeclaredReplies<Replies> &
          DeclaredAnswers<Answers> &
          EmptyDeclarations<Received, Sent>
        wsHandler: SocketHandler<
          SecureSocket<TypeProvider, Declared<Messages, Received>, Declared<Sends, Sent>, Auth, Replies, Answers>,
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
      const Replies = Anything,
      Received extends PropertyKey = string,
      Sent extends PropertyKey = string,
      const Auth extends AuthenticateOption = AuthenticateOption,
      const Answers = Anything,
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
          DeclaredReplies<Replies> &
          DeclaredAnswers<Answers> &
          EmptyDeclarations<Received, Sent>
      },
      handler: SocketHandler<
        SecureSocket<TypeProvider, Declared<Messages, Received>, Declared<Sends, Sent>, Auth, Replies, Answers>,
        RouteRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
      >,
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }
}
