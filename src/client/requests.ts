import { ClientError, type ClientErrorCode } from './client-error.ts'
import { bounded } from './deadline.ts'
import { readHint } from './pause.ts'

/** How long a request waits, and until when. */
export interface RequestOptions {
  /** How long to wait for the answer, in ms, the time in the queue included. Then `SWS_NO_ANSWER`. Default 30,000. */
  readonly timeout?: number
  /** Ends the wait; the promise rejects with the signal's reason. The server may have done its work all the same. Default none. */
  readonly signal?: AbortSignal
}

interface Waiting {
  resolve(value: unknown): void
  reject(reason: unknown): void
}

/** The requests that wait for an answer: each ends once, whatever comes first. */
export class Requests {
  readonly #waiting = new Map<unknown, Waiting>()
  #last = 0

  /** @param forget called when nobody waits for this one any more */
  open(
    { timeout = 30_000, signal }: RequestOptions,
    send: (id: number) => void,
    forget: (id: number) => void,
  ): Promise<unknown> {
    // Never used again, on no later connection: an answer that comes late finds nobody.
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const abort = () => end(() => reject(signal?.reason))
      const timer = setTimeout(() => end(() => reject(new ClientError('SWS_NO_ANSWER'))), bounded(timeout))
      const end = (how: () => void) => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        this.#waiting.delete(id)
        forget(id)
        how()
      }
      signal?.addEventListener('abort', abort)
      this.#waiting.set(id, {
        resolve: (value) => end(() => resolve(value)),
        reject: (reason) => end(() => reject(reason)),
      })
      try {
        send(id)
      } catch (error) {
        end(() => reject(error))
      }
    })
  }

  /** @returns whether the message was an answer to one of these */
  answered({ type, id, value, code, retryAfter }: Readonly<Record<string, unknown>>): boolean {
    const waiting = this.#waiting.get(id)
    if (!waiting) return false
    if (type === 'reply') waiting.resolve(value)
    // Anything but a text is no name, and some of it cannot even be made one.
    else
      waiting.reject(
        new ClientError(typeof code === 'string' ? (code as ClientErrorCode) : 'SWS_INTERNAL', readHint(retryAfter)),
      )
    return true
  }

  /** @param except ids that have not left yet */
  fail(code: ClientErrorCode, except: readonly unknown[] = []): void {
    for (const [id, waiting] of this.#waiting) if (!except.includes(id)) waiting.reject(new ClientError(code))
  }
}
