import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type CallerOptions, callerOf } from '../caller.ts'
import { HandshakeRefused } from '../handshake-refused.ts'
import { dial } from '../loopback.ts'
import { clientOver, opened } from '../shake.ts'
import type { HoleCode } from './hole.ts'
import { Probe } from './probe.ts'
import type { AttackRow, NotJudged } from './report.ts'
import type { Role } from './role.ts'
import type { AnySchema } from './sample.ts'

/** A type of message that the route takes. */
export interface Target {
  readonly type: string
  readonly schema: AnySchema
  /** A body that fits, or `undefined` where none is known. */
  readonly sample: Readonly<Record<string, unknown>> | undefined
  /** Counts once: declared by `replay`, or said by the test. */
  readonly once: boolean
  /** Asks for `nonce` and `at`. */
  readonly replay: boolean
  /** ms within which the session must have signed in. */
  readonly freshAuth: number | undefined
}

/** The outcome of an attempt to get in: a probe, or the refusal in words. */
export type Entry =
  | { readonly probe: Probe; readonly refused?: never }
  | { readonly probe?: never; readonly refused: string }

/** The application under attack, and the notes that are taken of it. */
export class Stage {
  readonly app: FastifyInstance
  readonly path: string
  /** ms to wait for the answer of an application that promises none. */
  readonly patience: number
  /** Whether each message with an `id` is answered: the protocol of fastify-secure-ws, on a route that declares what it receives. */
  readonly answers: boolean
  readonly rows: AttackRow[] = []
  readonly notJudged: NotJudged[] = []
  /** Errors that nobody has caught, and that would have ended the process. */
  readonly uncaught: unknown[] = []
  #address = 0

  constructor(app: FastifyInstance, path: string, patience: number, answers: boolean) {
    this.app = app
    this.path = path
    this.patience = patience
    this.answers = answers
  }

  note(role: string, message: string | undefined, attack: string, outcome: string, hole?: HoleCode): void {
    this.rows.push({ role, message, attack, outcome, hole })
    if (this.uncaught.splice(0).length > 0) {
      this.rows.push({ role, message, attack, outcome: 'an error that nobody caught', hole: 'crash' })
    }
  }

  skip(attack: string, because: string): void {
    if (this.notJudged.some((each) => each.attack === attack && each.because === because)) return
    this.notJudged.push({ attack, because })
  }

  /** An address that nobody has used yet (RFC 2544): the limits of one attack are not those of the next. */
  get freshAddress(): string {
    const number = this.#address++
    return `198.18.${(number >> 8) & 255}.${number & 255}`
  }

  callerOptions(role: Role, changes: CallerOptions = {}): CallerOptions {
    const { session, headers, protocols, origin } = role
    return {
      ...(session !== undefined && { session }),
      ...(headers !== undefined && { headers }),
      ...(protocols !== undefined && { protocols }),
      ...(origin !== undefined && { origin }),
      address: this.freshAddress,
      ...changes,
    }
  }

  /** Opens a socket as a role. */
  async enter(role: Role, changes: CallerOptions = {}, path = role.path ?? this.path): Promise<Entry> {
    const caller = await callerOf(this.app, path, this.callerOptions(role, changes))
    const stream = await dial(this.app, caller)
    const socket = clientOver(stream, caller)
    const probe = new Probe(socket, stream, this.answers, this.patience)
    try {
      await opened(socket, caller)
    } catch (error) {
      stream.destroy()
      if (error instanceof HandshakeRefused) return { refused: error.code ?? String(error.statusCode) }
      return { refused: 'no answer' }
    }
    return { probe }
  }

  /** Opens a socket, does something on it, and closes it: `undefined` when nobody was let in. */
  async on<T>(role: Role, work: (probe: Probe) => Promise<T>, changes: CallerOptions = {}): Promise<T | undefined> {
    const { probe } = await this.enter(role, changes)
    if (probe === undefined) return undefined
    try {
      if (!this.answers) await probe.quiet()
      return await work(probe)
    } finally {
      await probe.leave()
    }
  }

  pause(ms: number): Promise<void> {
    return pause(ms)
  }
}
