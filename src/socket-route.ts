import type { FastifyRequest, FastifyTypeProvider, FastifyTypeProviderDefault } from 'fastify'
import type { AuthenticateOption } from './authentication/authentication.ts'
import type {
  Anything,
  Declared,
  DeclaredReplies,
  EmptyDeclarations,
  IncomingMessage,
  ReceiveRules,
  RouteSecureWs,
  SentMessage,
} from './fastify.ts'

/** A rule as it is handed on: whoever reads it asks for no narrower session, message or request than any. */
type RuleOf<Schema, Reply> = Omit<
  ReceiveRules<FastifyTypeProviderDefault, { it: Schema }, never, never>['it'],
  'reply' | 'authorize'
> & {
  readonly reply?: Reply
  readonly authorize?: (session: unknown, message: unknown, request: unknown) => boolean | Promise<boolean>
}

/** The `secureWs` of a route, written apart from it: hand it to `app.get(path, { websocket: true, secureWs: route }, handler)`. */
export interface SocketRoute<Messages, Sends, Replies, Auth>
  extends Omit<RouteSecureWs<FastifyTypeProviderDefault, Messages, Sends, Auth, unknown>, 'receives' | 'authorize'> {
  /** Types of messages that may come in, as declared. */
  readonly receives?: {
    readonly [Type in keyof Messages]: RuleOf<Messages[Type], Type extends keyof Replies ? Replies[Type] : unknown>
  }
  /** The route's own question, as declared. */
  readonly authorize?: (session: unknown, request: unknown) => boolean | Promise<boolean>
}

/**
 * Declares the `secureWs` of a route apart from the route: for messages that a client shares (`MessagesOf`), and for an error that
 * names a misspelt option, where the overloads of `app.get` can only say that none of them fits.
 *
 * @returns its argument. It is checked where a route takes it, not here
 */
export function socketRoute<
  const Messages = Anything,
  const Sends = Anything,
  const Replies = Anything,
  Received extends PropertyKey = string,
  Sent extends PropertyKey = string,
  const Auth extends AuthenticateOption = AuthenticateOption,
>(
  route: RouteSecureWs<FastifyTypeProviderDefault, Messages, Sends, Auth, FastifyRequest> &
    DeclaredReplies<Replies> &
    EmptyDeclarations<Received, Sent>,
): SocketRoute<Declared<Messages, Received>, Declared<Sends, Sent>, Replies, Auth> {
  return route as SocketRoute<Declared<Messages, Received>, Declared<Sends, Sent>, Replies, Auth>
}

/**
 * The messages of a route, for its client: what it `receives`, what it `sends`, each with its `type`, and what the listener of
 * each type `replies`.
 *
 *     export const chat = socketRoute({ receives: { ... }, sends: { ... } })
 *     export type Chat = MessagesOf<typeof chat>
 */
export type MessagesOf<Route, Provider extends FastifyTypeProvider = FastifyTypeProviderDefault> =
  Route extends SocketRoute<infer Messages, infer Sends, infer Replies, infer _Auth>
    ? {
        readonly receives: {
          readonly [Type in keyof Messages & string]: { readonly type: Type } & IncomingMessage<
            Provider,
            Messages[Type]
          >
        }
        readonly sends: {
          readonly [Type in keyof Sends & string]: { readonly type: Type } & SentMessage<Provider, Sends[Type]>
        }
        readonly replies: {
          readonly [Type in keyof Messages & string]: Type extends keyof Replies
            ? SentMessage<Provider, Replies[Type]>
            : unknown
        }
      }
    : never
