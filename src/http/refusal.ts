import { STATUS_CODES } from 'node:http'
import { type HandshakeRefusalCode, handshakeRefusals } from '../errors.ts'

/** A handshake that may not become a socket. `status`, `code` and `headers` go out; `reason` and `advice` never do. */
export interface Refusal {
  readonly code: HandshakeRefusalCode
  readonly status: number
  /** Why, for the audit event, which quotes it: it may hold what the client wrote, raw. */
  readonly reason: string
  /** What the developer can change. Holds only text that passed a grammar of ours, so it is safe to print. */
  readonly advice?: string
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  /** The kind of value that a function of the application returned in the place of `true`. */
  readonly answered?: string
  /** The authenticator whose credential was good, of a session that its store does not know. */
  readonly forgottenBy?: string | undefined
  /** The error that a function of the application threw, for the server's log alone. */
  readonly cause?: RefusalCause
}

export interface RefusalCause {
  /** The function, as a developer would call it. */
  readonly by: string
  readonly error: unknown
}

export interface RefusalDetails {
  /** Where one code has two statuses: 426 for another protocol version, 429 for one address with too many connections. */
  readonly status?: number
  readonly advice?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: RefusalCause
  readonly answered?: string
  readonly forgottenBy?: string | undefined
}

/** The response header of every refusal that names its code, where a body is easily overlooked (`curl -si`, a proxy's log). */
export const codeHeader = 'secure-ws-code'

export function refuse(code: HandshakeRefusalCode, reason: string, details: RefusalDetails = {}): Refusal {
  return { status: handshakeRefusals[code].status, ...details, code, reason }
}

/** The answer to a client that asks why: the verdict its handshake would get now. */
export interface WhyAnswer {
  /** The code of the refusal; `null` when the handshake would be let in. */
  readonly code: HandshakeRefusalCode | null
  /** Whether the same client may be let in later, without anybody signing in or changing anything. */
  readonly reconnect: boolean
  /** Milliseconds to wait before. */
  readonly retryAfter?: number
}

export function whyBody(refusal: Refusal | undefined): WhyAnswer {
  if (refusal === undefined) return { code: null, reconnect: true }
  const { code, status, headers } = refusal
  const seconds = Number(headers?.['retry-after'])
  return {
    code,
    // Too many, or our own side: the two kinds that pass by themselves.
    reconnect: status === 429 || status >= 500,
    ...(seconds > 0 && { retryAfter: seconds * 1_000 }),
  }
}

/** The headers of the answer that are ours, in the order in which they go out. */
export function answerHeaders({ code, headers }: Refusal): Readonly<Record<string, string>> {
  return { ...headers, connection: 'close', 'cache-control': 'no-store', [codeHeader]: code }
}

export const answerType = 'application/json; charset=utf-8'

/**
 * The whole answer over HTTP/1.1, as Fastify and Node write it.
 *
 * @param before finished header lines in front of ours
 */
export function answerText(refusal: Refusal, before: readonly string[], date: string): string {
  const { status } = refusal
  const body = JSON.stringify(refusalBody(refusal))
  const lines = Object.entries(answerHeaders(refusal)).map(([name, value]) => `${name}: ${value}`)
  const about = [`content-type: ${answerType}`, `content-length: ${Buffer.byteLength(body)}`, `Date: ${date}`]
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...before, ...lines, ...about, '', body].join('\r\n')
}

/** All that the client is told: nothing in it depends on which of several reasons applied. */
export function refusalBody({ code, status }: Refusal): { statusCode: number; code: string; error: string } {
  return { statusCode: status, code, error: STATUS_CODES[status] ?? handshakeRefusals[code].error }
}
