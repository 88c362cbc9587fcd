import type { Session } from 'fastify-secure-ws'
import type { Equal, Expect } from './expect.ts'

// Declared once, as the README says; every file of this project sees it, and none of them imports this one.
declare module 'fastify-secure-ws' {
  interface Session {
    rooms: string[]
    can(action: string, subject: string): boolean
  }
}

export type Members = [
  Expect<Equal<Session['rooms'], string[]>>,
  Expect<Equal<Session['id'], string>>,
  Expect<Equal<Session['userId'], string | undefined>>,
]

// @ts-expect-error TS2741: it is the declared session everywhere, so a store has to fill it.
export const incomplete: Session = { id: '1', rooms: [] }
