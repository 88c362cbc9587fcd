import type { HandshakeRefusalCode } from '../errors.ts'
import type { AfterClose } from './after-close.ts'
import type { Credential } from './handshake.ts'
import type { AnyMessages, BodyOf, Messages, Outgoing } from './messages.ts'
import type { PauseOptions } from './pause.ts'
import type { RequestOptions } from './requests.ts'

export type { AfterClose, Credential, PauseOptions, RequestOptions }

/** Options of `connect`. */
export interface ConnectOptions<M extends Messages = AnyMessages> {
  /**
   * Fetches a fresh credential: before every attempt, and when the session is about to end. `null` says that nobody is signed in, and
   * the client stops; what it throws is tried again later. With cookies there is nothing to return: renew the session here,
   * if it can be. Default none.
   */
  readonly credential?: () => MaybeCredential | Promise<MaybeCredential>
  /**
   * Called when the server wants somebody to sign in, at most once until a connection has held. `true` begins anew. Default
   * none: the client stays `refused` until `reconnect()`.
   */
  readonly signIn?: () => boolean | Promise<boolean>
  /**
   * Called on every connection before it counts as `open` and before anything that waited is sent: for joining rooms again.
   * An error of it ends this connection, and another is tried later. Default none.
   */
  readonly join?: (direct: Direct<M>) => unknown
  /** Gets the binary frames, of a route that sends some. Default none: they are dropped. */
  readonly bytes?: (bytes: ArrayBuffer) => void
  /** Sub-protocols to offer beside a credential. Default `['secure-ws']` with a `token` or `protocol`, none without. */
  readonly protocols?: readonly string[]
  /** So many messages wait while there is no connection; beyond it, `send` throws. 0 refuses each. Default 100. */
  readonly queue?: number
  /** The pauses between attempts. Default from nothing to 1,000 ms, doubling up to 30,000. */
  readonly pause?: PauseOptions
  /**
   * After so many ms without a frame the server is asked whether it is there, and without an answer within `timeout` the connection is
   * given up. 0: never, for a server that takes frames of any kind. Default 30,000.
   */
  readonly silence?: number
  /** How long a credential, a handshake, a question or `join` may each take, in ms. Default 10,000. */
  readonly timeout?: number
  /** The meaning of close codes of the application's own. Default none: the client does not come back after a code it does not know. */
  readonly closeCodes?: Readonly<Record<number, AfterClose>>
}

/** A credential, nothing to show (cookies), or nobody to show it for. */
export type MaybeCredential = Credential | null | undefined

/** The state of a client, with its reason. */
export type ClientState =
  | { readonly name: 'connecting' }
  | { readonly name: 'open' }
  /** The client tries again by itself, after so many ms. `reason` is a refusal code, the reason of a close frame, or a word of the client's own. */
  | { readonly name: 'waiting'; readonly reason: string; readonly retryIn: number }
  /** The handshake was refused, and trying again would change nothing. */
  | { readonly name: 'refused'; readonly reason: HandshakeRefusalCode; readonly signIn: boolean }
  /** The end: by `close()`, or by the server, with the code of the close frame. */
  | { readonly name: 'closed'; readonly reason: string; readonly code: number }

/** The way to a server that has just let in, for `join`. */
export interface Direct<M extends Messages> {
  /** As `send` of the client, past the queue. */
  send(message: Outgoing<M>): void
  /** As `request` of the client, past the queue. */
  readonly request: Request<M>
}

/** A message that is answered. */
export type Request<M extends Messages> = <Type extends keyof M['receives'] & keyof M['replies'] & string>(
  type: Type,
  body: BodyOf<M['receives'][Type]>,
  options?: RequestOptions,
) => Promise<M['replies'][Type]>
