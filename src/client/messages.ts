/** The messages of a route, as `MessagesOf<typeof route>` of `fastify-secure-ws` has them. */
export interface Messages {
  /** Messages that the server receives, by type. */
  readonly receives: object
  /** Messages that the server sends, by type. */
  readonly sends: object
  /** Values that the listeners of the server return, by type of the message they answer. */
  readonly replies: object
  /** Values that this client answers when the server asks it, by type of the message. */
  readonly answers?: object
}

/** Anything with a type. */
interface Typed {
  /** The name of the message. */
  readonly type: string
}

/** Messages of a server that nobody has declared to this client. */
export interface AnyMessages {
  /** Anything with a type. */
  readonly receives: Readonly<Record<string, Typed & Readonly<Record<string, unknown>>>>
  /** Anything with a type. */
  readonly sends: Readonly<Record<string, Typed & Readonly<Record<string, unknown>>>>
  /** Anything. */
  readonly replies: Readonly<Record<string, unknown>>
  /** Anything. */
  readonly answers: Readonly<Record<string, unknown>>
}

/** Messages that every server sends, whatever its routes declare. */
export interface ProtocolMessages {
  /** A message without an id was refused. */
  readonly error: { readonly type: 'error'; readonly code: string; readonly retryAfter?: number }
  /** A right to be in a room was taken away; nothing more comes from there. */
  readonly left: { readonly type: 'left'; readonly room: string }
  /** The session ends in so many ms. The client asks `credential` by itself. */
  readonly expiring: { readonly type: 'expiring'; readonly in: number }
}

/** Any message that may be sent. */
export type Outgoing<M extends Messages> = M['receives'][keyof M['receives']]

/** A message that comes in, by its type. No route can declare a name of the protocol's. */
export type IncomingOf<M extends Messages, Type> = Type extends keyof ProtocolMessages
  ? ProtocolMessages[Type]
  : Type extends keyof M['sends']
    ? M['sends'][Type]
    : never

/** Types of the messages that come in. */
export type IncomingType<M extends Messages> = (keyof M['sends'] | keyof ProtocolMessages) & string

/** The members of a message besides its type; of a union, of each of its parts. */
export type BodyOf<Message> = Message extends unknown ? Omit<Message, 'type'> : never

/** Types of the messages that the server may ask. */
export type AskedType<M extends Messages> = keyof NonNullable<M['answers']> & keyof M['sends'] & string

/** Makes the answer to messages of one type. */
export type Giver<M extends Messages, Type extends AskedType<M>> = (
  message: M['sends'][Type],
) => NonNullable<M['answers']>[Type] | Promise<NonNullable<M['answers']>[Type]>
