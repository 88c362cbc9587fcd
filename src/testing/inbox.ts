import { clearTimeout, setTimeout } from 'node:timers'
// Of the module, and not the globals: a test that moves its clock has no more patience for that.

/** An answer to a request. */
export interface Answer {
  readonly type: 'reply' | 'error'
  readonly id: number
  readonly value?: unknown
  readonly code?: string
  readonly retryAfter?: number
}

/** A request of the server's. */
export interface Asked {
  readonly type: string
  readonly [name: string]: unknown
}

type Kind = 'message' | 'text' | 'bytes'

interface Frame {
  readonly kind: Kind
  readonly type: string | undefined
  readonly value: unknown
}

interface Waiting {
  /** Takes the frame, if it is the one that is waited for. */
  offer(frame: Frame): boolean
  fail(): void
}

/** So many frames are named in an error. */
const mostShown = 8

/** Everything a client was sent and nobody has asked for yet. */
export class Inbox {
  readonly heard: unknown[] = []
  readonly #path: string
  readonly #frames: Frame[] = []
  readonly #answers = new Map<number, Answer>()
  readonly #waiting = new Set<Waiting>()
  #end: string | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** @returns what the server asks: that is answered, and waits for nobody */
  push(data: Buffer, isBinary: boolean): Asked | undefined {
    const frame = frameOf(data, isBinary)
    if (frame.type === 'request' && isAsked(frame.value)) return frame.value
    const answer = answerIn(frame)
    if (answer === undefined && frame.kind === 'message') this.heard.push(frame.value)
    for (const waiting of this.#waiting) if (waiting.offer(frame)) return undefined
    if (answer === undefined) this.#frames.push(frame)
    else this.#answers.set(answer.id, answer)
    return undefined
  }

  end(code: number, reason: string): void {
    this.#end = `closed with ${code}${reason === '' ? '' : ` (${reason})`}`
    for (const waiting of [...this.#waiting]) waiting.fail()
  }

  async take(kind: Kind, type: string | undefined, patience: number): Promise<unknown> {
    const fits = (frame: Frame) => frame.kind === kind && (type === undefined || frame.type === type)
    const at = this.#frames.findIndex(fits)
    if (at !== -1) return this.#frames.splice(at, 1)[0]?.value
    const wanted = kind === 'message' ? (type === undefined ? 'a message' : `\`${type}\``) : `a frame of ${kind}`
    return this.#wait(wanted, patience, (frame) =>
      fits(frame) && answerIn(frame) === undefined ? frame : undefined,
    ).then(({ value }) => value)
  }

  async answer(id: number, type: string, patience: number): Promise<Answer> {
    const there = this.#answers.get(id)
    this.#answers.delete(id)
    if (there !== undefined) return there
    return this.#wait(`the answer to \`${type}\``, patience, (frame) => {
      const answer = answerIn(frame)
      return answer?.id === id ? answer : undefined
    })
  }

  #wait<T>(wanted: string, patience: number, found: (frame: Frame) => T | undefined): Promise<T> {
    // The line of the test that waits, and not the one of a timer.
    const error = new Error()
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(waiting)
      }
      const fail = (how: string) => {
        end()
        error.message = `${how} before ${wanted} came. ${this.#story()}`
        error.stack = error.stack?.replace(/^Error.*/, `Error: ${error.message}`) ?? error.message
        reject(error)
      }
      const timer = setTimeout(() => fail(`${this.#path}: ${patience} ms (\`patience\`) were over`), patience)
      const waiting: Waiting = {
        offer: (frame) => {
          const value = found(frame)
          if (value === undefined) return false
          end()
          resolve(value)
          return true
        },
        fail: () => fail(`${this.#path}: the socket was ${this.#end}`),
      }
      if (this.#end === undefined) this.#waiting.add(waiting)
      else waiting.fail()
    })
  }

  #story(): string {
    if (this.#frames.length === 0) return 'Nothing else waits to be read.'
    const shown = this.#frames.slice(-mostShown).map(({ type, value }) => {
      const code = type === 'error' ? ` ${Reflect.get(Object(value), 'code')}` : ''
      return type === undefined ? 'a frame that is no message' : `\`${type}\`${code}`
    })
    const more = this.#frames.length - shown.length
    return `Heard instead: ${more > 0 ? `${more} others, ` : ''}${shown.join(', ')}.`
  }
}

function frameOf(data: Buffer, isBinary: boolean): Frame {
  if (isBinary) return { kind: 'bytes', type: undefined, value: data }
  const text = data.toString()
  try {
    const value: unknown = JSON.parse(text)
    const type: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'type') : undefined
    if (typeof type === 'string') return { kind: 'message', type, value }
  } catch {
    // Text of a route that speaks something else.
  }
  return { kind: 'text', type: undefined, value: text }
}

function answerIn({ type, value }: Frame): Answer | undefined {
  if (type !== 'reply' && type !== 'error') return undefined
  return typeof Reflect.get(Object(value), 'id') === 'number' ? (value as Answer) : undefined
}

/** A route without declarations may have messages of its own by that name. */
function isAsked(value: unknown): value is Asked {
  return (
    typeof Reflect.get(Object(value), 'id') === 'number' && typeof Reflect.get(Object(value), 'message') === 'object'
  )
}
