import { badOption } from '../errors.ts'
import type { AskAgain } from '../session/identity.ts'
import { type AuthenticateFunction, type Authenticator, factories } from './authenticator.ts'
import { shapeOf } from './known-options.ts'

/** An authenticator of the list. */
export interface Step {
  readonly method: string
  readonly authenticator: Authenticator
  /** Asks about a session of it again, where an answer brings no question of its own. */
  readonly askAgain: AskAgain | undefined
}

export function askAgainBy(authenticator: Authenticator): AskAgain | undefined {
  if (authenticator.revalidate === undefined) return undefined
  return (session) => authenticator.revalidate?.(session)
}

const authenticateAdvice =
  'There is no default, because a socket that anybody may open is a decision. Write one of: ' +
  '`authenticate: cookieSession({ secret, load })` for browsers, ' +
  '`authenticate: bearer({ jwks, algorithms, issuer, audience })` for JSON Web Tokens, ' +
  'or `authenticate: false` to let everybody in without a session.'

/**
 * The `authenticate` option as the list that is asked in order.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function stepsOf(option: unknown, path: string): readonly Step[] {
  if (option === undefined) throw badOption(path, option, authenticateAdvice)
  if (!Array.isArray(option)) return [stepOf(option, path, new Set())]
  if (option.length === 0) throw badOption(path, option, `An empty list lets nobody in. ${authenticateAdvice}`)
  const taken = new Set<string>()
  return option.map((member, at) => stepOf(member, `${path}[${at}]`, taken))
}

function stepOf(member: unknown, path: string, taken: Set<string>): Step {
  const call = factories.get(member)
  if (call !== undefined) {
    throw badOption(
      path,
      `the function that makes an authenticator`,
      `Call it: \`${path.startsWith('authenticate') ? 'authenticate: ' : ''}${call}\`.`,
    )
  }
  const authenticator = isAuthenticateFunction(member) ? byFunction(member) : member
  if (!isAuthenticator(authenticator)) throw badOption(path, shapeOf(member), adviceFor(member))
  let method = authenticator.name
  // Two of one kind (two issuers, say) are told apart, or a session would be revalidated by the wrong one.
  for (let count = 2; taken.has(method); count++) method = `${authenticator.name}#${count}`
  taken.add(method)
  return { method, authenticator, askAgain: askAgainBy(authenticator) }
}

/**
 * Where a function takes its credential from is unknown. It does not fail the start together with open origins, because it
 * may well read a header that no browser attaches; the warning about these origins names it.
 */
function byFunction(authenticate: AuthenticateFunction): Authenticator {
  return { name: 'function', ambient: false, authenticate }
}

function isAuthenticateFunction(member: unknown): member is AuthenticateFunction {
  return typeof member === 'function'
}

function isAuthenticator(member: unknown): member is Authenticator {
  if (typeof member !== 'object' || member === null) return false
  if (!('name' in member) || typeof member.name !== 'string' || !/^[A-Za-z][\w.-]{0,63}$/.test(member.name))
    return false
  if (!('ambient' in member) || typeof member.ambient !== 'boolean') return false
  return 'authenticate' in member && typeof member.authenticate === 'function'
}

function adviceFor(member: unknown): string {
  if (member === false)
    return 'In a list `false` would let in everybody whom the others do not know. Write `authenticate: false` alone.'
  if (member === true) return `True says nothing about who may enter. ${authenticateAdvice}`
  return 'Write an authenticator (`cookieSession(...)`, `bearer(...)`, ...), or a function `(request) => Session | null`.'
}
