import { FairQueue, type Share } from './fair-queue.ts'
import {
  type Loss,
  type Outcome,
  type Question,
  startLimit,
  Thread,
  type ThreadHost,
  type ThreadOptions,
} from './thread.ts'

export interface WorkerPoolOptions extends Omit<ThreadOptions, 'idle' | 'workerUrl'> {
  readonly threads: number
  /** Documents that may wait. */
  readonly queue: number
  readonly share?: Share
  readonly idle?: number
  readonly workerUrl?: URL | undefined
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
  readonly length: number
  readonly since: number
  readonly settle: (outcome: Outcome) => void
}

/** One message to a worker carries as many short documents as this, or one long one. */
const batchDocuments = 16
/**
 * UTF-16 units of a short document, and of all in one message: what anybody waits for at the worst where a thread is kept for
 * them. A document of all markup costs up to 15 us for each.
 */
const shortLength = 4_096
/** Milliseconds of a share for a worker that broke: what loading jsdom again takes, and so two of them are a share. */
const breakage = 500
/** After a worker could not start, documents are refused for this long before the next one is tried. */
const startPause = 5_000

/**
 * Threads that clean documents. An own pool, because what is needed is not in a task queue: senders take turns, long documents
 * leave a thread to the short ones, and a document that runs out of time is refused alone; its worker is ended and replaced,
 * and the others of its batch go back to the front of the queue.
 *
 * Threads start with the first document, keep the program alive only while they have work, and end when idle.
 */
export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  const { profile, threads: size, queue: queueSize, timeLimit, share, idle = 300_000, workerUrl } = options
  const waiting = new FairQueue<Job>(share)
  /** Who waits for a worker to come up, with nothing to clean. */
  const starters: ((outcome: Outcome) => void)[] = []
  const threads = new Set<Thread<Job>>()
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
      waiting.push({ id: nextId++, dirty, length: dirty.length, sender, since: performance.now(), settle })
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
    return [...threads].some(({ isReady }) => isReady)
  }

  function assign(): void {
    distribute()
    const starting = [...threads].filter(({ isReady }) => !isReady).length
    const wanted = waiting.length > starting * batchDocuments && waiting.peek(longest()) !== undefined
    if (wanted && threads.size < size && pause() === undefined) startThread()
  }

  function distribute(): void {
    for (const thread of threads) {
      if (waiting.length === 0) break
      const jobs = thread.isFree ? nextFor() : []
      if (jobs.length > 0) thread.give(jobs)
    }
    // A long document waits until a second thread is up, or the short ones behind it would have none.
    const onlyLong = waiting.length > 0 && waiting.peek(shortLength) === undefined
    if (onlyLong && threads.size < Math.min(size, atLong() + 2) && pause() === undefined) startThread()
  }

  /**
   * The length of a document that may be begun now: of two threads or more, one that is ready is never at a long one. It cannot be
   * kept where another one cannot be started.
   */
  function longest(): number {
    if (size === 1 || pause() !== undefined) return Number.POSITIVE_INFINITY
    const ready = [...threads].filter(({ isReady }) => isReady).length
    return ready - atLong() >= 2 ? Number.POSITIVE_INFINITY : shortLength
  }

  function atLong(): number {
    return [...threads].filter(({ jobs }) => jobs.some(isLong)).length
  }

  /** The share of one thread of what waits. */
  function nextFor(): readonly Job[] {
    const fair = Math.min(batchDocuments, Math.ceil(waiting.length / size))
    const jobs: Job[] = []
    let most = longest()
    while (jobs.length < fair) {
      const job = waiting.shift(most)
      if (job === undefined) break
      const refused = tooLate(job)
      if (refused !== undefined) {
        waiting.settled(job, 0)
        job.settle(refused)
        continue
      }
      jobs.push(job)
      if (isLong(job)) break
      // A long one is alone in its message: nobody waits behind it, and nobody in front of it is in a hurry.
      most = Math.min(most, shortLength) - job.length
    }
    return jobs
  }

  function tooLate(job: Job): Outcome | undefined {
    // Behind many slow documents even a bounded queue is a long wait, and whoever sent this has long given up.
    if (performance.now() - job.since > startLimit + 10 * timeLimit) {
      return poolRefusal('waited too long for the sanitizer')
    }
    // Documents taken in before the sender's time was used up would otherwise use as much again.
    const excess = waiting.exhausted(job.sender)
    return excess === undefined ? undefined : { refused: excess, because: 'share' }
  }

  const host: ThreadHost<Job> = {
    ready(thread) {
      broken = undefined
      for (const settle of starters.splice(0)) settle({ clean: '' })
      thread.give(nextFor())
      distribute()
    },
    settled(job, outcome, milliseconds) {
      waiting.settled(job, milliseconds)
      job.settle(outcome)
    },
    free(thread) {
      thread.give(nextFor())
      distribute()
    },
    idle: end,
    lost,
  }

  function startThread(): void {
    try {
      threads.add(new Thread({ profile, timeLimit, idle, workerUrl }, host))
    } catch (cause) {
      cannotStart(poolRefusal('a worker of the sanitizer could not be started', cause))
    }
  }

  /**
   * A worker that broke: while starting, everything waiting is refused; at a document, that one is. Nobody can tell whether it is
   * an attack or an accident, so it fails as our own failure and is paid for as an attack.
   */
  function lost(thread: Thread<Job>, { outcome, job, milliseconds, left }: Loss<Job>): void {
    end(thread)
    for (const each of left.toReversed()) waiting.unshift(each)
    if (!thread.isReady) {
      cannotStart(outcome)
      return
    }
    if (job !== undefined) {
      waiting.settled(job, milliseconds + (outcome.because === 'worker' ? breakage : 0))
      job.settle(outcome)
    }
    // Also without work: whoever comes next is not to wait for jsdom because of somebody else's document.
    replaced += 1
    assign()
    if (threads.size === 0) startThread()
  }

  function cannotStart(outcome: Outcome): void {
    broken = { until: performance.now() + startPause, outcome }
    // Another thread may have come up before: then it goes on, and serves them.
    if (someReady()) distribute()
    else refuseAll(outcome)
  }

  function refuseAll(outcome: Outcome): void {
    for (const job of waiting.clear()) job.settle(outcome)
    for (const settle of starters.splice(0)) settle(outcome)
  }

  function end(thread: Thread<Job>): void {
    threads.delete(thread)
    const ended = thread.end()
    ending.add(ended)
    void ended.finally(() => ending.delete(ended))
  }

  async function close(): Promise<void> {
    closed = true
    const closing = poolRefusal('the sanitizer is closed')
    for (const thread of [...threads]) {
      for (const job of thread.jobs) job.settle(closing)
      end(thread)
    }
    refuseAll(closing)
    await Promise.all(ending)
  }

  return {
    clean,
    start,
    close,
    stats: () => ({ threads: threads.size, waiting: waiting.length, replaced }),
  }
}

function isLong({ length }: Job): boolean {
  return length > shortLength
}

function poolRefusal(refused: string, cause?: unknown): Outcome {
  return { refused, because: 'pool', ...(cause === undefined ? {} : { cause }) }
}
