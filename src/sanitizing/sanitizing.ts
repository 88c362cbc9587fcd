import { AsyncLocalStorage } from 'node:async_hooks'
import { badOption, SecureWsError } from '../errors.ts'
import type { Sender } from '../inbound/cleaning.ts'
import { checkKeys, isPlainObject, join } from '../option-checks.ts'
import { dangerouslyTrustHtml, type Encoded } from '../outbound/encoded.ts'
import { within } from '../thenable.ts'
import { compileProfile, type OwnProfile, type Profile } from './profile.ts'
import type { Outcome } from './thread.ts'
import { createVerdictCache } from './verdict-cache.ts'
import { createWorkerPool } from './worker-pool.ts'

export type { OwnProfile }

/** The `sanitize` option. Every document is one string of HTML that a user wrote. */
export interface SanitizeOptions {
  /**
   * Markup that stays: `'basic'` text formatting and links, `'rich'` also headings, tables and `https:` images, or an own
   * DOMPurify configuration. Links always get `rel="noopener noreferrer nofollow"`. Default `'basic'`.
   */
  readonly profile?: 'basic' | 'rich' | OwnProfile
  /**
   * Worker threads at most, 1 to 64. Of two or more, one is kept for short documents (4,096 UTF-16 units), and is started with the
   * first long one. Default 2.
   */
  readonly threads?: number
  /** Documents that may wait for a thread; beyond that they are refused. Default 1,000. */
  readonly queue?: number
  /**
   * UTF-8 bytes of one document. Default 32,768: ordinary markup of that size takes a fifth of the time limit on an idle
   * machine, so that it is still cleaned, and not refused, on a busy one. Raise both together.
   */
  readonly inputBytes?: number
  /** Milliseconds for one document; then its thread is ended, and it is refused. Default 1,000. */
  readonly timeLimit?: number
  /** Documents whose outcome is remembered; 0 for none. Default 1,000. */
  readonly cache?: number
}

/** The finished `sanitize` option. */
export interface SanitizePolicy {
  readonly profile: Profile
  readonly threads: number
  readonly queue: number
  readonly inputBytes: number
  readonly timeLimit: number
  readonly cache: number
}

export interface Sanitizer {
  /**
   * Clean HTML for `innerHTML` of an ordinary element (not for an attribute, a script or a style sheet). At once for text
   * without markup, which stays as it is, and for what is remembered.
   * @throws SecureWsError `SWS_SANITIZE_REFUSED` for the document or its sender, `SWS_INTERNAL` when the sanitizer itself fails:
   *   at once or as a rejection, never with the document
   */
  sanitize(dirty: string): string | Promise<string>
  /**
   * As `sanitize`, for what the application sends. What costs too much is told to whoever set it off. What is
   * only remembered is not: it may be somebody else's document, which they asked to read. Refuses by a rejection alone: thrown
   * at once, what is remembered would look like a mistake of the listener that sends it, and end the reader's socket.
   */
  sanitizeOutput(dirty: string): string | Promise<string>
  /** Whose message is being dealt with here. */
  sender(): string | undefined
  /**
   * Starts a worker, so that the first document finds it ready, and proves that DOMPurify works here. One that takes longer than
   * a start may is waited for by the documents.
   * @throws SecureWsError `SWS_INTERNAL` with the cause
   */
  start(): Promise<void>
  /**
   * Runs what a client has set off. Documents that are sanitized in there, and in whatever it goes on to do, count as this
   * sender's. Others are the application's own, and have no bound but that of the queue.
   */
  as<T>(sender: Sender, work: () => T): T
  /** Ends the workers; documents that wait are refused, as is all markup from now on. */
  close(): Promise<void>
  stats(): SanitizerStats
}

export interface SanitizerStats {
  readonly threads: number
  readonly waiting: number
  /** Workers ended because a document took too long or broke them. */
  readonly replaced: number
  readonly cached: number
  readonly cacheHits: number
  readonly refused: number
}

const numbers = [
  ['threads', 1, 64],
  ['queue', 1, 1_000_000],
  ['inputBytes', 1, 16_777_216],
  ['timeLimit', 50, 60_000],
  ['cache', 0, 1_000_000],
] as const

/** @throws SecureWsError `SWS_BAD_OPTION` with the full path, the value and what to write instead. */
export function compileSanitizing(options: unknown, path = 'sanitize'): SanitizePolicy {
  if (!isPlainObject(options)) throw badOption(path, options, "Write an object such as { profile: 'basic' }.")
  checkKeys(options, ['profile', ...numbers.map(([key]) => key)], path)
  const policy = {
    threads: 2,
    queue: 1_000,
    inputBytes: 32_768,
    timeLimit: 1_000,
    cache: 1_000,
  }
  for (const [key, least, most] of numbers) {
    const value = options[key]
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw badOption(join(path, key), value, `Write a whole number from ${least} to ${most}.`)
    }
    policy[key] = value
  }
  return Object.freeze({ ...policy, profile: compileProfile(options.profile ?? 'basic', join(path, 'profile')) })
}

/**
 * How long a start waits for a worker, in ms. Fastify gives a plugin 10 s, of which the bus may take two; a machine on which
 * jsdom takes longer to load is busy, and not one on which nothing can be sanitized.
 */
const startPatience = 6_000

type OnRefused = (reason: string, code: 'SWS_SANITIZE_REFUSED' | 'SWS_INTERNAL') => void

/**
 * @param onRefused hears the reason of every refusal, for the audit event; it holds nothing of the document.
 * @param measured hears how long each document took that was not known yet
 */
export function createSanitizer(
  policy: SanitizePolicy,
  onRefused: OnRefused,
  measured?: (outcome: 'clean' | 'refused' | 'failed', duration: number) => void,
): Sanitizer {
  const pool = createWorkerPool(policy)
  const cache = createVerdictCache(policy.cache)
  const underway = new Map<string, Promise<Outcome>>()
  const counts = { cacheHits: 0, refused: 0 }
  const senders = new AsyncLocalStorage<Sender>()
  let closed = false

  function sanitize(dirty: string, isOutput: boolean): string | Promise<string> {
    if (typeof dirty !== 'string') throw refuse('not a string')
    // Without a tag there is nothing to remove, and DOMPurify returns the text as it is, too. A `&` stays what it was: in
    // the content of an element, a character reference makes text and never a tag.
    if (!dirty.includes('<')) return dirty
    if (closed) throw fail('the sanitizer is closed', undefined)
    if (Buffer.byteLength(dirty) > policy.inputBytes) throw refuse(`larger than ${policy.inputBytes} bytes`)
    const known = cache.get(dirty)
    if (known === undefined) return ask(dirty, isOutput).then(unwrap)
    counts.cacheHits += 1
    return unwrap(known)
  }

  /** The same document twice at once is cleaned once: a post that goes to several routes, or a flood of one. */
  function ask(dirty: string, isOutput: boolean): Promise<Outcome> {
    const asked = underway.get(dirty)
    if (asked === undefined) return clean(dirty, isOutput)
    // That the first one to send it has used up their share is nothing to the others.
    return asked.then((outcome) =>
      'because' in outcome && outcome.because === 'share' ? clean(dirty, isOutput) : outcome,
    )
  }

  function clean(dirty: string, isOutput: boolean): Promise<Outcome> {
    const sender = senders.getStore()
    const since = measured === undefined ? 0 : performance.now()
    const cleaning = pool.clean(dirty, sender?.name).then((outcome) => {
      measured?.(kindOf(outcome), performance.now() - since)
      if (underway.get(dirty) === cleaning) underway.delete(dirty)
      cache.set(dirty, outcome)
      if (isOutput && 'because' in outcome && (outcome.because === 'time' || outcome.because === 'share')) {
        sender?.outputRefused?.()
      }
      return outcome
    })
    underway.set(dirty, cleaning)
    return cleaning
  }

  function unwrap(outcome: Outcome): string {
    if ('clean' in outcome) return outcome.clean
    throw kindOf(outcome) === 'failed' ? fail(outcome.refused, outcome.cause) : refuse(outcome.refused)
  }

  function refuse(reason: string): SecureWsError {
    counts.refused += 1
    onRefused(reason, 'SWS_SANITIZE_REFUSED')
    return new SecureWsError('SWS_SANITIZE_REFUSED', `fastify-secure-ws: the sanitizer refused a document: ${reason}`)
  }

  /** A failure of ours, which is nobody's refusal. */
  function fail(reason: string, cause: unknown): SecureWsError {
    counts.refused += 1
    onRefused(reason, 'SWS_INTERNAL')
    if (cause instanceof SecureWsError) return cause
    const why = cause instanceof Error ? `${reason}: ${cause.message}` : reason
    return new SecureWsError('SWS_INTERNAL', `fastify-secure-ws: HTML cannot be sanitized: ${why}`, { cause })
  }

  return {
    sanitize: (dirty) => sanitize(dirty, false),
    sanitizeOutput(dirty) {
      try {
        return sanitize(dirty, true)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    sender: () => senders.getStore()?.name,
    as: (sender, work) => senders.run(sender, work),
    async start() {
      const late = new Error('The first worker is still loading.')
      const proof = within(
        startPatience,
        async () => void unwrap(await pool.start()),
        () => late,
      )
      await proof.catch((error) => {
        if (error !== late) throw error
      })
    },
    async close() {
      closed = true
      cache.clear()
      await pool.close()
    },
    stats: () => ({ ...pool.stats(), ...counts, cached: cache.size }),
  }
}

function kindOf(outcome: Outcome): 'clean' | 'refused' | 'failed' {
  if ('clean' in outcome) return 'clean'
  return outcome.because === 'pool' || outcome.because === 'worker' ? 'failed' : 'refused'
}

let everyday: Sanitizer | undefined

/**
 * Cleans HTML that a user wrote with the `'basic'` profile, for the whole program: its workers start with the first
 * call, keep the program alive only while they work, and end when idle. Errors come as a rejection.
 * @throws SecureWsError `SWS_SANITIZE_REFUSED`: too large, too deep, too slow, or beyond cleaning; `SWS_BUNDLED`, `SWS_INTERNAL` when
 * no worker can run
 */
export async function sanitizeHtml(dirty: string): Promise<Encoded<'html'>> {
  everyday ??= createSanitizer(compileSanitizing({}), () => {})
  return dangerouslyTrustHtml(await everyday.sanitize(dirty))
}
