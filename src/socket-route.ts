import type { FastifyRequest, FastifyTypeProvider, FastifyTypeProviderDefault } from 'fastify'
import type { AuthenticateOption } from './authentication/authentication.ts'
import type {
  Anything,
  Asked,
  Declared,
  DeclaredAnswers,
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
export interface SocketRoute<Messages, Sends, Replies, Auth, Answers = Anything>
  extends Omit<
    RouteSecureWs<FastifyTypeProviderDefault, Messages, Sends, Auth, unknown>,
    'receives' | 'sends' | 'authorize'
  > {
  /** Types of messages that may come in, as declared. */
  readonly receives?: {
    readonly [Type in keyof Messages]: RuleOf<Messages[Type], Type extends keyof Replies ? Replies[Type] : unknown>
  }
  /** Types of messages that may go out, as declared. */
  readonly sends?: {
    readonly [Type in keyof Sends]: {
      readonly schema: Sends[Type]
      readonly reply?: Type extends keyof Answers ? Answers[Type] : unknown
    }
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
  const Answers = Anything,
>(
  route: RouteSecureWs<FastifyTypeProviderDefault, Messages, Sends, Auth, FastifyRequest> &
    DeclaredReplies<Replies> &
    DeclaredAnswers<Answers> &
    EmptyDeclarations<Received, Sent>,
): SocketRoute<Declared<Messages, Received>, Declared<Sends, Sent>, Replies, Auth, Answers> {
  return route as SocketRoute<Declared<Messages, Received>, Declared<Sends, Sent>, Replies, Auth, Answers>
}

/**
 * The messages of a route, for its client: what it `receives`, what it `sends`, each with its `type`, what the listener of
 * each type `replies`, and what the client `answers` when it is asked.
 *
 *     export const chat = socketRoute({ receives: { ... }, sends: { ... } })
 *     export type Chat = MessagesOf<typeof chat>
 */
export type MessagesOf<Route, Provider extends FastifyTypeProvider = FastifyTypeProviderDefault> =
  Route extends SocketRoute<infer Messages, infer Sends, infer Replies, infer _Auth, infer Answers>
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
        readonly answers: {
          readonly [Type in Asked<Answers> & keyof Sends & string]: IncomingMessage<Provider, Answers[Type]>
        }
      }
    : never
