/** An answer to a message of the client's, as it leaves. */
export interface Answer {
  readonly type: 'reply' | 'error'
  readonly id?: string | number
  readonly code?: string
  readonly value?: unknown
}

/** The id of a message, as a member of its answer: none where it had none. */
export function idOf(message: { readonly id?: string | number } | undefined): { readonly id?: string | number } {
  return message?.id === undefined ? {} : { id: message.id }
}
