import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from '../../src/index.ts'
import type { Random } from '../harness/random.ts'

/** How the application answers one question: at once, later, by what was so when it was asked, or not at all. */
const ways = ['now', 'late', 'old', 'hangs', 'rejects', 'throws'] as const
type Way = (typeof ways)[number]

/** A person as the application knows them, and what became of the questions about them. */
export interface Person {
  readonly id: string
  /** The youngest token. */
  newest: number
  /** The oldest one that is good. */
  oldest: number
  /** Handshakes under way. */
  coming: number
  ended: boolean
  allowed: boolean
  /** Questions that were not answered in time. */
  unanswered: number
}

export type Row = Session & { readonly by: number }

/**
 * The store of an application on a bad day. It hands out a fresh object each time, and changes in place those that it has
 * handed out.
 */
export function stormyStore(random: Random, lookup: number, failing: boolean) {
  const people = new Map<string, Person>()
  const handedOut: Record<string, unknown>[] = []
  const mild: readonly Way[] = ['now', 'now', 'late', 'old']
  let ended = false

  function rowOf(id: string, token: number): Row | null {
    const person = people.get(id)
    if (person === undefined || person.ended || token < person.oldest || token > person.newest) return null
    const row = { id, userId: `user of ${id}`, by: token }
    handedOut.push(row)
    return { ...row }
  }

  async function answer<T>(id: string, question: () => T): Promise<T> {
    const person = people.get(id)
    const way = ended ? 'now' : random.pick(failing && random.chance(0.5) ? ways : mild)
    const asked = performance.now()
    const old = question()
    if (way === 'now') return old
    if (way === 'hangs' || way === 'rejects' || way === 'throws') {
      if (person !== undefined) person.unanswered++
      if (way === 'hangs') return new Promise(() => {})
      throw new Error('the store is away')
    }
    await sleep(random.below(lookup / 3))
    // On a machine that is busy: it is as if nobody had answered.
    if (performance.now() - asked > lookup * 0.8 && person !== undefined) person.unanswered++
    return way === 'old' ? old : question()
  }

  return {
    people,
    add(id: string): Person {
      const person = { id, newest: 1, oldest: 1, coming: 0, ended: false, allowed: true, unanswered: 0 }
      people.set(id, person)
      return person
    },
    signIn: (id: string) => answer(id, () => rowOf(id, people.get(id)?.newest ?? 0)),
    again: (session: Session & { by?: unknown }) => answer(session.id, () => rowOf(session.id, Number(session.by))),
    refresh: (id: string, token: number) => answer(id, () => rowOf(id, token)),
    allows: (id: string) => answer(id, () => people.get(id)?.allowed === true),
    /** All is well again: every question is answered at once, and rightly. Those that hang go on hanging. */
    clear() {
      ended = true
    },
  }
}

/** What an application may do to a session object that it has handed over. */
export const mutations: readonly ((session: Record<string, unknown>) => unknown)[] = [
  (session) => Object.assign(session, { userId: 42 }),
  (session) => Object.assign(session, { userId: 'somebody else' }),
  (session) => Object.assign(session, { expiresAt: 1 }),
  (session) => Object.assign(session, { authenticatedAt: Number.NaN }),
  (session) => Reflect.deleteProperty(session, 'userId'),
]
