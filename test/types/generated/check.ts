import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { MessagesOf } from 'fastify-secure-ws'
import { connect } from 'fastify-secure-ws/client'
import type { Equal, Expect } from './expect.ts'
import type * as generated from './messages.ts'
import type { arktype, plain, typebox, valibot, zod } from './routes.ts'

/** One object instead of an intersection; without the `undefined` that no JSON has, and that some libraries allow in a member. */
type Flat<T> = T extends readonly unknown[]
  ? { [Index in keyof T]: Flat<T[Index]> }
  : T extends object
    ? { [Name in keyof T]: Flat<Exclude<T[Name], undefined>> }
    : T

type Same<Written, Inferred> = Equal<Flat<Written>, Flat<Inferred>>

export type Told = [
  Expect<Same<generated.Typebox['receives'], MessagesOf<typeof typebox, TypeBoxTypeProvider>['receives']>>,
  Expect<Same<generated.Typebox['sends'], MessagesOf<typeof typebox, TypeBoxTypeProvider>['sends']>>,
  Expect<Same<generated.Typebox['replies'], MessagesOf<typeof typebox, TypeBoxTypeProvider>['replies']>>,
  Expect<Same<generated.Typebox['answers'], MessagesOf<typeof typebox, TypeBoxTypeProvider>['answers']>>,
  Expect<Same<generated.Zod, MessagesOf<typeof zod>>>,
  Expect<Same<generated.Valibot, MessagesOf<typeof valibot>>>,
  Expect<Same<generated.Arktype, MessagesOf<typeof arktype>>>,
  Expect<Same<generated.Plain, MessagesOf<typeof plain>>>,
  // @ts-expect-error TS2344
  Expect<Same<generated.Zod, MessagesOf<typeof valibot>>>,
  // @ts-expect-error TS2344
  Expect<Same<generated.Plain['receives']['members'], { type: 'members'; a: string; b?: number | null }>>,
]

// As a client in another repository has it.
const client = connect<generated.Typebox>('/typebox')
client.send({ type: 'either', kind: 'a', a: '' })
// @ts-expect-error TS2322
client.send({ type: 'either', kind: 'c', a: '' })
// @ts-expect-error TS2345
client.send({ type: 'members', a: '' })
const { at } = await client.request('members', { a: '', c: true, d: null })
at.toFixed()
// @ts-expect-error TS2551
at.toFixd()
client.on('any name */ $1', ({ html }) => html.trim())
client.answer('graft', ({ name }) => ({ name, below: [] }))
// @ts-expect-error TS2322
client.answer('graft', () => ({ name: '', above: [] }))
// @ts-expect-error TS2345
client.on('another name', () => {})
