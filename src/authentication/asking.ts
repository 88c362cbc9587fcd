import type { FastifyRequest } from 'fastify'
import type { SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { after, isThenable } from '../thenable.ts'
import type { Authenticator } from './authenticator.ts'
import { checkedSession } from './checked-session.ts'
import { isRefusedCredential } from './credential.ts'
import type { Step } from './steps.ts'
import { testSession } from './test-session.ts'

export interface Refused {
  readonly refused: true
  /** For the operator, in our own words: no piece of a credential. */
  readonly reason: string
  /** True when a look-up failed, so that nobody knows whether the credential is good: our fault, not the client's. */
  readonly fault: boolean
  /** The error of the look-up, for the server's log alone. */
  readonly cause?: unknown
  /** Which authenticator refused; left out when none recognised the request. */
  readonly method?: string
  /** The authenticator whose credential was good, of a session that its store does not know. */
  readonly forgottenBy?: string
}

/** The failed look-up, and the function that failed as a developer would call it. */
export function causeOf({ method, cause }: Refused): { readonly by: string; readonly error: unknown } {
  return { by: method === undefined ? '`authenticate`' : `the authenticator ${method}`, error: cause }
}

/** `session` is `null` only when the route is anonymous. `method` names the authenticator that knew the session. */
export interface Authenticated {
  readonly refused?: never
  readonly session: Session | null
  /** The same session with our copy of who it is, and how to ask about it again. */
  readonly signedIn: SignedIn | null
  readonly method: string
}

export type AuthenticationVerdict = Authenticated | Refused

export const nobody: Authenticated = { session: null, signedIn: null, method: 'none' }

type Ask = (authenticator: Authenticator, request: FastifyRequest) => ReturnType<Authenticator['authenticate']>

const askBy: Ask = (authenticator, request) => authenticator.authenticate(request)
export const peekAt: Ask = (authenticator, request) =>
  authenticator.peek === undefined ? authenticator.authenticate(request) : authenticator.peek(request)

/** Asks the steps in order, from one on. Without a promise where none of them needs one. Never throws, never rejects. */
export function authenticateBy(
  steps: readonly Step[],
  request: FastifyRequest,
  now: () => number,
  ask: Ask = askBy,
  from = 0,
): AuthenticationVerdict | Promise<AuthenticationVerdict> {
  const played = from === 0 ? testSession(request) : undefined
  if (played !== undefined) return verdictOn(played, byTest, now()) ?? nobodyFound(steps, request)
  for (let at = from; at < steps.length; at++) {
    const step = steps[at] as Step
    try {
      const found = ask(step.authenticator, request)
      if (isThenable(found)) return authenticateLater(found, steps, request, now, ask, at)
      const verdict = verdictOn(found, step, now())
      if (verdict !== undefined) return verdict
    } catch (error) {
      return refusedBy(error, step.method)
    }
  }
  return nobodyFound(steps, request)
}

/** Where the one at `at` has to be waited for. Its closures stand here, or whoever answers at once would pay for them. */
function authenticateLater(
  found: PromiseLike<unknown>,
  steps: readonly Step[],
  request: FastifyRequest,
  now: () => number,
  ask: Ask,
  at: number,
): AuthenticationVerdict | Promise<AuthenticationVerdict> {
  const step = steps[at] as Step
  const settled = (session: unknown) =>
    verdictOn(session, step, now()) ?? authenticateBy(steps, request, now, ask, at + 1)
  return after<unknown, AuthenticationVerdict>(found, settled, (error) => refusedBy(error, step.method))
}

function nobodyFound(steps: readonly Step[], request: FastifyRequest): Refused {
  const nobody = { refused: true, reason: 'no known credential', fault: false } as const
  const known = steps.find(({ authenticator }) => recognises(authenticator, request))
  return known === undefined ? nobody : { ...nobody, forgottenBy: known.method }
}

function recognises(authenticator: Authenticator, request: FastifyRequest): boolean {
  try {
    return authenticator.recognises?.(request) === true
  } catch {
    return false
  }
}

/** As of an authenticator without `revalidate`: the session holds until it expires or is revoked. */
const byTest: Pick<Step, 'method' | 'askAgain'> = { method: 'test', askAgain: undefined }

function verdictOn(
  found: unknown,
  { method, askAgain }: Pick<Step, 'method' | 'askAgain'>,
  now: number,
): AuthenticationVerdict | undefined {
  try {
    const signedIn = checkedSession(found, now, askAgain)
    return signedIn === null ? undefined : { session: signedIn.session, signedIn, method }
  } catch (error) {
    return refusedBy(error, method)
  }
}

/** Of a foreign error only the class and code are told: its message may quote the credential. */
function refusedBy(error: unknown, method: string): Refused {
  if (isRefusedCredential(error)) return { refused: true, reason: `${method}: ${error.message}`, fault: false, method }
  return { refused: true, reason: `${method}: threw ${shownKind(error)}`, fault: true, cause: error, method }
}

/** The name of something thrown, which may throw again when somebody looks at it (MS-15). */
function shownKind(error: unknown): string {
  try {
    const kind = error instanceof Error && /^[A-Za-z]\w{0,63}$/.test(error.name) ? error.name : 'something'
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
    return /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? `${kind} (${code})` : kind
  } catch {
    return 'something'
  }
}
