import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { SecureWsError } from '../errors.ts'
import { urlBeside } from '../loading/location.ts'
import { FairQueue, type Share } from './fair-queue.ts'
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

export type Outcome =
  | { readonly clean: string }
  | { readonly refused: string; readonly because: Because; readonly cause?: unknown }
/**
 * `document`: the document is at fault, and would be refused again. `time`: it took too long. `share`: its sender has sent too
 * much. `worker`: its worker broke at it, which may be an attack or an accident. `pool`: a failure of ours that has nothing to
 * do with it.
 */
export type Because = 'document' | 'time' | 'share' | 'worker' | 'pool'

export interface WorkerPoolOptions {
  readonly profile: Profile
  readonly threads: number
  /** Documents that may wait. */
  readonly queue: number
  /** Milliseconds for one document, from the moment its worker turns to it. */
  readonly timeLimit: number
  readonly share?: Share
  /** Milliseconds without work after which a worker ends. */
  readonly idle?: number
  readonly workerUrl?: URL
}

export interface WorkerPool {
  /** @param sender a session or an address; left out, the application itself */
  clean(dirty: string, sender?: string): Promise<Outcome>
  /** Starts one worker, and says whether the sanitizer works here. */
  start(): Promise<Outcome>
  close(): Promise<void>
  stats(): { threads: number; waiting: number; replaced: number }
}

interface Job extends Question {
  readonly sender: string | undefined
  readonly since: number
  readonly settle: (outcome: Outcome) => void
}

interface Thread {
  readonly worker: Worker
  /** Handed over and not answered yet; the worker is at the first one. */
  readonly jobs: Job[]
  ready: boolean
  /** When the worker turned to its first document. */
  begun: number
  deadline: NodeJS.Timeout
}

/** One message to a worker carries as many small documents as this, or one large one: the large are not to delay the small. */
const batchDocuments = 16
const batchLength = 16_384
/** Loading jsdom takes half a second on an idle machine. */
const startLimit = 15_000
/** Milliseconds of a share for a worker that broke: what loading jsdom again takes, and so two of them are a share. */
const breakage = 500
/** After a worker could not start, documents are refused for this long before the next one is tried. */
const startPause = 5_000

/**
 * Threads that clean documents. An own pool, because what is needed is not in a task queue: the clock of a document runs
 * from when its worker turns to it (not while it waits, nor while jsdom is loaded), and when it runs out the worker is
 * ended and replaced, that one document is refused, and the others of its batch go back to the front of the queue.
 *
 * Threads start with the first document, keep the program alive only while they have work, and end when idle.
 */
export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  const { profile, threads: size, queue: queueSize, timeLimit, idle = 300_000 } = options
  const workerUrl = options.workerUrl ?? urlBeside(threadFile, import.meta.url)
  const waiting = new FairQueue<Job>(options.share)
  /** Who waits for a worker to come up, with nothing to clean. */
  const starters: ((outcome: Outcome) => void)[] = []
  const threads = new Set<Thread>()
  const ending = new Set<Promise<unknown>>()
  let nextId = 0
  let replaced = 0
  let closed = false
  let broken: { readonly until: number; readonly outcome: Outcome } | undefined

  function clean(dirty: string, sender?: string): Promise<Outcome> {
    const obstacle = inTheWay()
    if (obstacle !== undefined) return Promise.resolve(obstacle)
    const excess = waiting.obstacle(sender)
    if (excess !== undefined) return Promise.resolve({ refused: excess, because: 'share' })
    if (waiting.length >= queueSize) return Promise.resolve(poolRefusal('the queue of the sanitizer is full'))
    return new Promise((settle) => {
      waiting.push({ id: nextId++, dirty, sender, since: performance.now(), settle })
      assign()
    })
  }

  function start(): Promise<Outcome> {
    const obstacle = inTheWay()
    if (obstacle !== undefined) return Promise.resolve(obstacle)
    if (someReady()) return Promise.resolve({ clean: '' })
    return new Promise((settle) => {
      starters.push(settle)
      if (threads.size === 0) startThread()
    })
  }

  /** A worker that could not start is in nobody's way as long as another one works. */
  function inTheWay(): Outcome | undefined {
    if (closed) return poolRefusal('the sanitizer is closed')
    return someReady() ? undefined : pause()
  }

  function pause(): Outcome | undefined {
    return broken !== undefined && performance.now() < broken.until ? broken.outcome : undefined
  }

  function someReady(): boolean {
    return [...threads].some(({ ready }) => ready)
  }

  function assign(): void {
    for (const thread of threads) {
      if (waiting.length === 0) return
      if (thread.ready && thread.jobs.length === 0) give(thread)
    }
    const starting = [...threads].filter(({ ready }) => !ready).length
    if (pause() === undefined && threads.size < size && waiting.length > starting * batchDocuments) startThread()
  }

  /** Its share of what waits; if that is nothing, it rests. */
  function give(thread: Thread): void {
    const fair = Math.min(batchDocuments, Math.ceil(waiting.length / size))
    let length = 0
    while (thread.jobs.length < fair) {
      const job = waiting.peek()
      if (job === undefined || (length > 0 && length + job.dirty.length > batchLength)) break
      waiting.shift()
      // Behind many slow documents even a bounded queue is a long wait, and whoever sent this has long given up.
      if (performance.now() - job.since > startLimit + 10 * timeLimit) {
        waiting.settled(job, 0)
        job.settle(poolRefusal('waited too long for the sanitizer'))
        continue
      }
      // Documents taken in before the sender's time was used up would otherwise use as much again.
      const excess = waiting.exhausted(job.sender)
      if (excess !== undefined) {
        waiting.settled(job, 0)
        job.settle({ refused: excess, because: 'share' })
        continue
      }
      length += job.dirty.length
      thread.jobs.push(job)
    }
    clearTimeout(thread.deadline)
    const [first] = thread.jobs
    if (first === undefined) {
      rest(thread)
      return
    }
    thread.worker.postMessage(thread.jobs.map(({ id, dirty }) => ({ id, dirty })))
    watch(thread, first)
  }

  /**
   * Starts the clock of the document the worker is at; `settleFirst`, `give` and `end` stop it. It is what keeps the
   * program alive: a worker that is ready does not.
   */
  function watch(thread: Thread, job: Job): void {
    thread.begun = performance.now()
    thread.deadline = setTimeout(() => {
      // When this thread was busy itself, the answer may lie in its mailbox, which is read after timers: look once more.
      setImmediate(() => {
        if (thread.jobs[0] !== job) return
        thread.jobs.shift()
        charge(thread, job)
        end(thread)
        job.settle({ refused: `took longer than ${timeLimit} ms`, because: 'time' })
        replace()
      })
    }, timeLimit)
  }

  function settleFirst(thread: Thread, answer: Extract<Answer, { id: number }>): void {
    const [job] = thread.jobs
    // Answers come in the order of the questions; anything else is not to be trusted with anybody's document.
    if (job?.id !== answer.id) {
      fail(thread, 'a worker of the sanitizer lost count')
      return
    }
    clearTimeout(thread.deadline)
    thread.jobs.shift()
    charge(thread, job)
    job.settle('clean' in answer ? { clean: answer.clean } : { refused: answer.refused, because: 'document' })
    const [next] = thread.jobs
    if (next !== undefined) watch(thread, next)
    else give(thread)
  }

  /** The time that a document took, also of a worker that it ended, is its sender's. */
  function charge(thread: Thread, job: Job, extra = 0): void {
    waiting.settled(job, performance.now() - thread.begun + extra)
  }

  function rest(thread: Thread): void {
    thread.deadline = setTimeout(() => end(thread), idle).unref()
  }

  function startThread(): void {
    let worker: Worker
    try {
      // No environment and none of the program's own flags: a thread that reads hostile documents has no use for the
      // secrets in one, or for the preloaded modules of the other. It may run out of memory alone.
      worker = new Worker(presentFile(workerUrl), {
        workerData: { profile },
        env: {},
        execArgv: [],
        name: 'fastify-secure-ws sanitizer',
        resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 48, stackSizeMb: 4 },
      })
    } catch (cause) {
      cannotStart('a worker of the sanitizer could not be started', cause)
      return
    }
    const thread: Thread = {
      worker,
      jobs: [],
      ready: false,
      begun: 0,
      deadline: setTimeout(() => fail(thread, 'a worker of the sanitizer did not start in time'), startLimit),
    }
    threads.add(thread)
    worker.on('message', (answer: Answer) => {
      if (!threads.has(thread)) return
      if ('ready' in answer) {
        thread.ready = true
        worker.unref()
        broken = undefined
        for (const settle of starters.splice(0)) settle({ clean: '' })
        give(thread)
      } else if ('unusable' in answer) fail(thread, `the sanitizer does not work here: ${answer.unusable}`)
      else settleFirst(thread, answer)
    })
    worker.on('error', (cause) => {
      fail(thread, 'a worker of the sanitizer failed', thread.ready ? withoutDocument(cause) : cause)
    })
    worker.on('exit', (code) => fail(thread, 'a worker of the sanitizer ended', new Error(`its exit code was ${code}`)))
  }

  /**
   * A worker that broke: while starting, everything waiting is refused; at a document, that one is. Nobody can tell here whether
   * the document did it or a lack of memory, so it fails as our own failure and is paid for as an attack.
   */
  function fail(thread: Thread, reason: string, cause?: unknown): void {
    if (!threads.has(thread)) return
    const culprit = thread.jobs.shift()
    if (culprit !== undefined) charge(thread, culprit, breakage)
    end(thread)
    if (!thread.ready) {
      cannotStart(reason, cause)
      return
    }
    culprit?.settle({ refused: reason, because: 'worker', cause })
    replace()
  }

  /** Also without work: whoever comes next is not to wait for jsdom because of somebody else's document. */
  function replace(): void {
    replaced += 1
    assign()
    if (threads.size === 0) startThread()
  }

  function cannotStart(reason: string, cause?: unknown): void {
    const outcome = poolRefusal(reason, cause)
    broken = { until: performance.now() + startPause, outcome }
    // Another thread may have come up before: then it goes on, and serves them.
    if (!someReady()) refuseAll(outcome)
  }

  function refuseAll(outcome: Outcome): void {
    for (const job of waiting.clear()) job.settle(outcome)
    for (const settle of starters.splice(0)) settle(outcome)
  }

  function end(thread: Thread): void {
    clearTimeout(thread.deadline)
    threads.delete(thread)
    for (const job of thread.jobs.splice(0).reverse()) waiting.unshift(job)
    const ended = thread.worker.terminate()
    ending.add(ended)
    void ended.finally(() => ending.delete(ended))
  }

  async function close(): Promise<void> {
    closed = true
    for (const thread of [...threads]) end(thread)
    refuseAll(poolRefusal('the sanitizer is closed'))
    await Promise.all(ending)
  }

  return {
    clean,
    start,
    close,
    stats: () => ({ threads: threads.size, waiting: waiting.length, replaced }),
  }
}

/** Node's own words, or no more than a name: what is thrown in a thread that reads a document may quote it. */
function withoutDocument(cause: unknown): Error {
  if (!(cause instanceof Error)) return new Error('no Error was thrown in it')
  if ('code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY') return cause
  return new Error(`${cause.name} was thrown in it`)
}

function poolRefusal(refused: string, cause?: unknown): Outcome {
  return { refused, because: 'pool', ...(cause === undefined ? {} : { cause }) }
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
