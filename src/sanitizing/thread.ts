import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { SecureWsError } from '../errors.ts'
import { urlBeside } from '../loading/location.ts'
import type { Profile } from './profile.ts'

/** A document for a worker. */
export interface Question {
  readonly id: number
  readonly dirty: string
}

/** What a worker says: once that it is ready (or never will be), then one line per document. */
export type Answer =
  | { readonly ready: true }
  | { readonly unusable: string }
  | { readonly id: number; readonly clean: string }
  | { readonly id: number; readonly refused: string }

/**
 * `document`: the document is at fault, and would be refused again. `time`: it took too long. `share`: its sender has sent too
 * much. `worker`: its worker broke at it, which may be an attack or an accident. `pool`: a failure of ours that has nothing to
 * do with it.
 */
export type Because = 'document' | 'time' | 'share' | 'worker' | 'pool'
export interface Refused {
  readonly refused: string
  readonly because: Because
  readonly cause?: unknown
}
export type Outcome = { readonly clean: string } | Refused

export interface ThreadOptions {
  readonly profile: Profile
  /** Milliseconds for one document, from the moment the worker turns to it. */
  readonly timeLimit: number
  /** Milliseconds without work after which it ends. */
  readonly idle: number
  readonly workerUrl: URL | undefined
}

/** The owner of a thread and of the documents in it. */
export interface ThreadHost<Job extends Question> {
  /** The worker is up. */
  ready(thread: Thread<Job>): void
  /** A document has its outcome, and has cost so much; the worker is at the next one. */
  settled(job: Job, outcome: Outcome, milliseconds: number): void
  /** Its last document has its outcome. */
  free(thread: Thread<Job>): void
  /** It ends, because nothing was to be done. */
  idle(thread: Thread<Job>): void
  /** It ends, because of a document (`job`) or by itself; `left` was handed over and not looked at. */
  lost(thread: Thread<Job>, loss: Loss<Job>): void
}

export interface Loss<Job> {
  readonly outcome: Refused
  readonly job: Job | undefined
  readonly milliseconds: number
  readonly left: readonly Job[]
}

/** Loading jsdom takes half a second on an idle machine. */
export const startLimit = 15_000

/**
 * One worker thread, the documents it was handed, and the clock of the one it is at: from when it turns to that one, not while
 * the document waits, nor while jsdom is loaded. A worker that is ready does not keep the program alive; the clock does.
 */
export class Thread<Job extends Question> {
  readonly #host: ThreadHost<Job>
  readonly #options: ThreadOptions
  readonly #worker: Worker
  /** Handed over and not answered yet; the worker is at the first one. */
  readonly #jobs: Job[] = []
  #ready = false
  #ended = false
  /** When the worker turned to its first document. */
  #begun = 0
  #clock: NodeJS.Timeout

  /** @throws whatever Node throws when it cannot start a thread; SecureWsError `SWS_BUNDLED` */
  constructor(options: ThreadOptions, host: ThreadHost<Job>) {
    this.#host = host
    this.#options = options
    // No environment and none of the program's own flags: a thread that reads hostile documents has no use for the
    // secrets in one, or for the preloaded modules of the other. It may run out of memory alone.
    const worker = new Worker(presentFile(options.workerUrl ?? urlBeside(threadFile, import.meta.url)), {
      workerData: { profile: options.profile },
      env: {},
      execArgv: [],
      name: 'fastify-secure-ws sanitizer',
      resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 48, stackSizeMb: 4 },
    })
    this.#worker = worker
    this.#clock = setTimeout(() => this.#break('a worker of the sanitizer did not start in time'), startLimit)
    worker.on('message', (answer: Answer) => {
      if (!this.#ended) this.#hear(answer)
    })
    worker.on('error', (cause) =>
      this.#break('a worker of the sanitizer failed', this.#ready ? withoutDocument(cause) : cause),
    )
    worker.on('exit', (code) => this.#break('a worker of the sanitizer ended', new Error(`its exit code was ${code}`)))
  }

  get isReady(): boolean {
    return this.#ready
  }

  get isFree(): boolean {
    return this.#ready && this.#jobs.length === 0
  }

  get jobs(): readonly Job[] {
    return this.#jobs
  }

  /** Hands documents to a worker that is free; with none, it rests. */
  give(jobs: readonly Job[]): void {
    clearTimeout(this.#clock)
    const [first] = jobs
    if (first === undefined) {
      this.#clock = setTimeout(() => this.#host.idle(this), this.#options.idle).unref()
      return
    }
    this.#jobs.push(...jobs)
    this.#worker.postMessage(jobs.map(({ id, dirty }) => ({ id, dirty })))
    this.#watch(first)
  }

  /** Ends the worker. What it had is in `jobs` until then. */
  end(): Promise<unknown> {
    this.#ended = true
    clearTimeout(this.#clock)
    this.#jobs.length = 0
    return this.#worker.terminate()
  }

  #watch(job: Job): void {
    const { timeLimit } = this.#options
    this.#begun = performance.now()
    this.#clock = setTimeout(() => {
      // When this thread was busy itself, the answer may lie in its mailbox, which is read after timers: look once more.
      setImmediate(() => {
        if (this.#jobs[0] === job) this.#lose({ refused: `took longer than ${timeLimit} ms`, because: 'time' })
      })
    }, timeLimit)
  }

  #hear(answer: Answer): void {
    if ('ready' in answer) {
      this.#ready = true
      this.#worker.unref()
      this.#host.ready(this)
    } else if ('unusable' in answer) this.#break(`the sanitizer does not work here: ${answer.unusable}`)
    else this.#settle(answer)
  }

  #settle(answer: Extract<Answer, { id: number }>): void {
    const [job, next] = this.#jobs
    // Answers come in the order of the questions; anything else is not to be trusted with anybody's document.
    if (job?.id !== answer.id) {
      this.#break('a worker of the sanitizer lost count')
      return
    }
    clearTimeout(this.#clock)
    const milliseconds = performance.now() - this.#begun
    this.#jobs.shift()
    if (next !== undefined) this.#watch(next)
    const outcome: Outcome =
      'clean' in answer ? { clean: answer.clean } : { refused: answer.refused, because: 'document' }
    this.#host.settled(job, outcome, milliseconds)
    if (next === undefined && !this.#ended) this.#host.free(this)
  }

  /** It broke, for whatever reason: nobody can tell here whether its document did it, or a lack of memory. */
  #break(refused: string, cause?: unknown): void {
    const because = this.#jobs.length === 0 ? 'pool' : 'worker'
    this.#lose({ refused, because, ...(cause === undefined ? {} : { cause }) })
  }

  #lose(outcome: Refused): void {
    if (this.#ended) return
    const [job, ...left] = this.#jobs
    this.#host.lost(this, { outcome, job, milliseconds: performance.now() - this.#begun, left })
  }
}

/** Node's own words, or no more than a name: what is thrown in a thread that reads a document may quote it. */
function withoutDocument(cause: unknown): Error {
  if (!(cause instanceof Error)) return new Error('no Error was thrown in it')
  if ('code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY') return cause
  return new Error(`${cause.name} was thrown in it`)
}

/** A name that no application has: inside a bundle, the file beside it is looked for among the application's own. */
const threadFile = 'secure-ws-sanitizer'

/** @throws SecureWsError `SWS_BUNDLED`: a bundler takes code along, and not the file that a thread is started with */
function presentFile(url: URL | undefined): URL {
  if (url !== undefined && (url.protocol !== 'file:' || existsSync(url))) return url
  throw new SecureWsError(
    'SWS_BUNDLED',
    `fastify-secure-ws: HTML is sanitized in a thread of its own, and its file \`${threadFile}.js\` is not beside this code, as inside a bundle. Bundle with \`--external:fastify-secure-ws\`, and install the package where the bundle runs.`,
  )
}
