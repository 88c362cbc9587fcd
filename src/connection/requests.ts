import { setTimeout } from 'node:timers'
import { badOption, SecureWsError } from '../errors.ts'
import type { Answer, AnswerSchema } from '../inbound/answer.ts'
import { type Refusal, refuse } from '../inbound/verdict.ts'
import { type Underway, underway } from '../outbound/underway.ts'
import { quoted } from '../telemetry/quoted.ts'
import { after } from '../thenable.ts'
import { closedError } from './close.ts'

/** Options of `socket.request`. */
export interface AskOptions {
  /** How long to wait for the answer, in ms. Then `SWS_NO_ANSWER`. Default 30,000. */
  readonly timeout?: number
  /** Ends the wait; the promise rejects with the signal's reason. The client may have done its work all the same. Default none. */
  readonly signal?: AbortSignal
}

/** The `limits` on what one socket is asked. */
export interface RequestLimits {
  /** Requests to one client that may wait for its answer at once. One more rejects with `SWS_TOO_MANY_REQUESTS`. Default 16. */
  readonly requests: number
}

/** The socket that asks, as this sees it. */
export interface RequestsHost {
  readonly ended: boolean
  readonly admitted: {
    readonly policy: {
      readonly route: string
      readonly answers: ReadonlyMap<string, AnswerSchema>
      readonly outbound: { readonly declare: ((value: unknown) => object | Underway<object>) | undefined }
      readonly limits: RequestLimits
    }
  }
  /** @throws SecureWsError for what cannot be encoded */
  answer(message: object | Underway<object>): void
  outputRefused(error: unknown): void
}

interface Waiting {
  readonly type: string
  readonly schema: AnswerSchema
  resolve(value: unknown): void
  reject(error: unknown): void
}

type Judge = (
  holder: { readonly value: unknown },
  schema: AnswerSchema,
) => Refusal | undefined | Promise<Refusal | undefined>

/** A refused answer, and the declared type that it answers, where it answers any. */
export type RefusedAnswer = Refusal & { readonly messageType?: string }

const longestWait = 2 ** 31 - 1

/**
 * The requests of a server to one client: each ends once, whatever comes first, and all of them with the socket. An id is used once,
 * counts from 1, and is known on this socket alone: what a client makes up finds nothing.
 */
export class Requests {
  readonly #host: RequestsHost
  readonly #waiting = new Map<number, Waiting>()
  /** Ids that somebody waited for in vain: their answers are late, and nobody's fault. As many as may wait at once. */
  readonly #given = new Set<number>()
  /** Those whose answers are there already count until they are judged. */
  #open = 0
  #last = 0

  constructor(host: RequestsHost) {
    this.#host = host
  }

  /** Rejects, and never throws: whatever is wrong with it, it is a request that has failed. */
  ask(type: unknown, body: unknown, options: AskOptions | undefined): Promise<unknown> {
    const asked = new Promise<unknown>((resolve, reject) =>
      this.#ask(type, body, readOptions(options), resolve, reject),
    )
    // A request that nobody waits for must not end the process when its client goes.
    asked.catch(() => {})
    return asked
  }

  #ask(
    type: unknown,
    body: unknown,
    { timeout, signal }: AskOptions & { readonly timeout: number },
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    const { policy } = this.#host.admitted
    const schema = typeof type === 'string' ? policy.answers.get(type) : undefined
    if (schema === undefined) throw unanswered(policy.route, type)
    signal?.throwIfAborted()
    if (this.#host.ended) throw closedError()
    if (this.#open >= policy.limits.requests) throw tooMany(policy.limits.requests)
    const message = this.#declared({ ...Object(body), type })

    const id = ++this.#last
    this.#open++
    let over = false
    const end = (how: () => void) => {
      if (over) return
      over = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      this.#open--
      this.#waiting.delete(id)
      how()
    }
    const giveUp = (error: unknown) => {
      if (this.#waiting.has(id)) this.#expectLate(id)
      end(() => reject(error))
    }
    const abort = () => giveUp(signal?.reason)
    const timer = setTimeout(() => giveUp(noAnswer(String(type), timeout)), timeout)
    signal?.addEventListener('abort', abort)
    const waiting: Waiting = {
      type: String(type),
      schema,
      resolve: (value) => end(() => resolve(value)),
      reject: (error) => end(() => reject(error)),
    }
    this.#waiting.set(id, waiting)
    this.#send(id, message, waiting)
  }

  /** As of whatever is sent: the application is told by the rejection, the operator by an event. */
  #declared(message: object): object | Underway<object> {
    try {
      return this.#host.admitted.policy.outbound.declare?.(message) ?? message
    } catch (error) {
      this.#host.outputRefused(error)
      throw error
    }
  }

  #send(id: number, message: object | Underway<object>, waiting: Waiting): void {
    try {
      if (!(message instanceof Promise)) {
        this.#host.answer({ type: 'request', id, message })
        return
      }
      const made = message.then((ready) => ({ type: 'request', id, message: ready }))
      // Refused on its way out, which is told where everything that leaves is: nobody will answer it.
      made.catch((error: unknown) => waiting.reject(error))
      this.#host.answer(underway(made, message.bytes))
    } catch (error) {
      this.#host.outputRefused(error)
      waiting.reject(error)
    }
  }

  #expectLate(id: number): void {
    this.#given.add(id)
    const [oldest] = this.#given
    if (oldest !== undefined && this.#given.size > this.#host.admitted.policy.limits.requests)
      this.#given.delete(oldest)
  }

  /**
   * Deals with an answer, at once where `judge` does not wait.
   *
   * @returns the refusal of an answer that is no good, or to nothing; `undefined` of one that is taken, or merely late
   */
  heard(answer: Answer | Refusal, judge: Judge): RefusedAnswer | undefined | Promise<RefusedAnswer | undefined> {
    if ('code' in answer) return answer
    const { id, declined, holder } = answer
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return this.#given.delete(id) ? undefined : unasked
    // A second answer finds nothing, however long this one is looked at.
    this.#waiting.delete(id)
    if (holder === undefined) {
      if (declined === undefined) return this.#settle(waiting, { value: undefined }, malformed)
      waiting.reject(declinedError(waiting.type, declined))
      return undefined
    }
    return after(judge(holder, waiting.schema), (refusal) => this.#settle(waiting, holder, refusal))
  }

  #settle(
    waiting: Waiting,
    holder: { readonly value: unknown },
    refusal: Refusal | undefined,
  ): RefusedAnswer | undefined {
    if (this.#host.ended) waiting.reject(closedError())
    else if (refusal === undefined) waiting.resolve(holder.value)
    else {
      waiting.reject(invalidAnswer(waiting.type, refusal))
      return { ...refusal, messageType: waiting.type }
    }
    return undefined
  }

  /** The socket has ended: nothing more is answered. */
  end(): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(closedError())
  }
}

const malformed: Refusal = refuse('SWS_INVALID_MESSAGE', 'the answer: not as the protocol has it')
const unasked: Refusal = refuse('SWS_INVALID_MESSAGE', 'the answer: to no request that waits for one')

function readOptions(options: AskOptions | undefined): AskOptions & { readonly timeout: number } {
  const { timeout = 30_000, signal } = options ?? {}
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > longestWait) {
    throw badOption('socket.request(type, body, { timeout })', timeout, 'Write milliseconds, from 1 to 2147483647.')
  }
  return signal === undefined ? { timeout } : { timeout, signal }
}

function unanswered(route: string, type: unknown): SecureWsError {
  const name = typeof type === 'string' ? quoted(type, 64) : typeof type
  return new SecureWsError(
    'SWS_UNDECLARED_TYPE',
    `${route} declares no answer to "${name}": write a schema into \`sends.${name}.reply\`.`,
  )
}

function tooMany(most: number): SecureWsError {
  return new SecureWsError(
    'SWS_TOO_MANY_REQUESTS',
    `${most} requests wait for an answer of this client already (limits.requests).`,
  )
}

function noAnswer(type: string, timeout: number): SecureWsError {
  return new SecureWsError('SWS_NO_ANSWER', `The client has not answered "${type}" within ${timeout} ms.`)
}

function declinedError(type: string, code: NonNullable<Answer['declined']>): SecureWsError {
  const why = code === 'SWS_NO_LISTENER' ? 'it has nobody for that' : 'whoever answers it there has failed'
  return new SecureWsError('SWS_DECLINED', `The client does not answer "${type}": ${why} (${code}).`)
}

/** For the application: the client's fault, of which the value says nothing that could be relied on. */
function invalidAnswer(type: string, { reason }: Refusal): SecureWsError {
  return new SecureWsError('SWS_INVALID_ANSWER', `The client's answer to "${type}" was refused: ${reason}.`)
}
