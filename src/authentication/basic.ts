import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { badOption } from '../errors.ts'
import type { Session } from '../session/session.ts'
import { type Authenticator, type FoundSession, factories } from './authenticator.ts'
import { authorizationCredential, RefusedCredential } from './credential.ts'
import { refuseNoFunction, refuseUnknownOptions } from './known-options.ts'

/** Options of `basic`. */
export interface BasicOptions {
  /** The session of that user with that password, else `null`. Required. Called for every user name, known or not. */
  readonly verify: (user: string, password: string, request: FastifyRequest) => FoundSession | Promise<FoundSession>
  /**
   * Asked again while a socket is open, each `session.revalidateEvery`: `false`, `null` or `undefined` ends the
   * session, `true` keeps it, a session takes its place. Default: nobody is asked.
   */
  readonly revalidate?: (session: Session) => boolean | FoundSession | Promise<boolean | FoundSession>
  /**
   * Milliseconds, default 250. A "no" of `verify` is answered after a whole number of these, so that an unknown user (no
   * hash to compute) and a wrong password (one hash) take the same time as long as both fit into as many. 0 switches it off.
   */
  readonly refuseEvery?: number
}

const longestCredential = 2048

/**
 * HTTP Basic (RFC 7617), for machines. A browser remembers the password and attaches it for every page that asks, so this
 * counts as ambient. Whether `verify` compares in constant time is up to it; how long a "no" takes is not.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function basic(options: BasicOptions): Authenticator {
  refuseUnknownOptions('basic', options, ['verify', 'revalidate', 'refuseEvery'])
  const { verify, revalidate, refuseEvery = 250 } = options
  refuseNoFunction('basic.verify', verify, '`async (user, password) => accounts.signIn(user, password)`', true)
  refuseNoFunction('basic.revalidate', revalidate, '`(session) => accounts.has(session.userId)`')
  if (!Number.isSafeInteger(refuseEvery) || refuseEvery < 0 || refuseEvery > 5_000) {
    throw badOption('basic.refuseEvery', refuseEvery, 'Write whole milliseconds from 0 to 5000.')
  }
  return {
    name: 'basic',
    ambient: true,
    scheme: { type: 'http', scheme: 'basic' },
    accepts: { refuseEvery },
    looksFor: '`Authorization: Basic ...` (in a URL: `ws://user:password@host`, from programs)',
    async authenticate(request) {
      const credential = authorizationCredential(request, 'basic')
      if (credential === undefined) return null
      // Refused at once: what is wrong with the form of a credential tells nothing about accounts.
      const { user, password } = userAndPassword(credential)
      const startedAt = performance.now()
      try {
        const session = await verify(user, password, request)
        if (session !== null && session !== undefined) return session
      } catch (error) {
        await untilNextStep(startedAt, refuseEvery)
        throw error
      }
      await untilNextStep(startedAt, refuseEvery)
      throw new RefusedCredential('a wrong user or password')
    },
    ...(revalidate === undefined ? {} : { revalidate }),
  }
}

async function untilNextStep(startedAt: number, every: number): Promise<void> {
  if (every === 0) return
  const elapsed = performance.now() - startedAt
  // Not held open for: a pending "no" must not keep a stopping process alive.
  await pause(Math.max(1, Math.ceil(elapsed / every)) * every - elapsed, undefined, { ref: false })
}

/** Fatal: a byte that is no UTF-8 would otherwise turn into U+FFFD, and several passwords into one. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Takes `base64(user ":" password)` apart. Strict, because Node's decoder skips what it does not know: one user would have
 * many spellings, and a rate limit per header value none of them.
 */
function userAndPassword(credential: string): { user: string; password: string } {
  if (credential.length > longestCredential) throw new RefusedCredential('a Basic credential that is too long')
  const bytes = Buffer.from(credential, 'base64')
  if (credential === '' || bytes.toString('base64') !== credential)
    throw new RefusedCredential('a Basic credential that is no base64')
  const text = decoded(bytes)
  const colon = text.indexOf(':')
  if (colon === -1) throw new RefusedCredential('a Basic credential without a colon')
  // RFC 7617 section 2: neither part has control characters. A NUL would end the string in some password hashes.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\0-\x1f\x7f-\x9f]/.test(text)) throw new RefusedCredential('a Basic credential with control characters')
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

function decoded(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new RefusedCredential('a Basic credential that is not UTF-8')
  }
}

factories.set(basic, 'basic({ verify })')
