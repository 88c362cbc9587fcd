import { type Static, Type } from 'typebox'

export const say = Type.Object({ text: Type.String({ maxLength: 500 }) })
export const said = Type.Object({ by: Type.String(), text: Type.String() })

/** The messages that a client sends, and those that it hears. */
export type Sent = { type: 'say' } & Static<typeof say>
export type Heard = ({ type: 'said' } & Static<typeof said>) | { type: 'error'; code: string }
