import type { FastifyReply } from 'fastify'
import { badOption } from '../errors.ts'
import { headerLines } from '../http/header-lines.ts'
import { wholeNumber } from '../option-checks.ts'
import type { AskAgain } from '../session/identity.ts'
import { readSecrets, type Secret } from '../session/secrets.ts'
import type { Session } from '../session/session.ts'
import { type Authenticator, type FoundSession, factories } from './authenticator.ts'
import { cookieValue } from './cookie-header.ts'
import { type CookieSignature, datedCookieSignature } from './cookie-signature.ts'
import { RefusedCredential } from './credential.ts'
import { refuseNoFunction, refuseUnknownOptions } from './known-options.ts'
import { known } from './known-session.ts'

/** Options of `cookieSession`. */
export interface CookieSessionOptions {
  /**
   * At least 32 bytes, for HMAC-SHA-256. A list rotates: the first signs, all of them verify, each until its `validUntil` if
   * it is written `{ secret, validUntil }`. Use it for nothing else, or choose `cookie.signs: 'name-and-value'`.
   */
  readonly secret: Secret | readonly Secret[] | undefined
  /** The cookie itself. Default: see `SessionCookieOptions`. */
  readonly cookie?: SessionCookieOptions
  /**
   * The session of a cookie whose signature is right; `null` or `undefined` when it is not known (any more). Required.
   */
  readonly load: (id: string) => FoundSession | Promise<FoundSession>
  /** Asked again while connected. Default: `load` again, with the same cookie value. */
  readonly revalidate?: (session: Session) => boolean | FoundSession | Promise<boolean | FoundSession>
}

/** The `cookie` of `cookieSession` (RFC 6265). */
export interface SessionCookieOptions {
  /** Default `__Host-session`. Must begin with `__Host-`: browsers then take it only from this very host, over TLS, for `/`. */
  readonly name?: string
  /**
   * Lets `name` go without `__Host-`. Any sibling subdomain can then plant a session cookie of its own (fixation).
   * Default `false`.
   */
  readonly dangerouslyAllowUnprefixedName?: boolean
  /** Seconds until browsers forget the cookie. Default: when they close. The session's own end is `expiresAt`. */
  readonly maxAge?: number
  /**
   * The text that the signature covers. `'value'` (default) is what `@fastify/cookie` signs, so `reply.setCookie(name,
   * id, { signed: true })` with the same secret is understood; but then a value signed for another cookie with that
   * secret is also a signed value here, and `load` is asked for it. `'name-and-value'` refuses it; set the cookie with
   * `setSessionCookie` then.
   */
  readonly signs?: 'value' | 'name-and-value'
}

/** The authenticator that `cookieSession` makes, with what sets and clears its cookie. */
export interface CookieSession extends Authenticator {
  /** The name of the cookie. */
  readonly cookieName: string
  /**
   * Appends `Set-Cookie` with the signed id: Secure, HttpOnly, SameSite=Strict, Path=/, no Domain. Call it with a new
   * id after every login.
   * @throws SecureWsError `SWS_BAD_OPTION` for an id that is no well-formed string of 1 to 512 characters, and when every
   * secret is past its `validUntil`
   */
  setSessionCookie(reply: Pick<FastifyReply, 'header'>, id: string): void
  /** Makes the browser forget the cookie. It ends no session: delete it from your store, and `revoke` it. */
  clearSessionCookie(reply: Pick<FastifyReply, 'header'>): void
}

const longestId = 512
/** A signed, percent-encoded id of 512 characters fits; a longer value is refused before any HMAC. */
const longestValue = 4096
/** RFC 6265 section 4.1.1: a cookie's name is an HTTP token. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const howToMakeOne = 'Write at least 32 random bytes, made with `openssl rand -base64 32` and kept out of the code.'

/**
 * Sessions named by a signed cookie (ASVS 5.0 V7, OWASP Session Management). The signature only keeps guesses away from
 * `load`; what counts is what `load` knows, so a deleted session is over at once for new handshakes.
 * @throws SecureWsError `SWS_BAD_OPTION` for a short secret, a name without `__Host-`, an unknown option.
 */
export function cookieSession(options: CookieSessionOptions): CookieSession {
  const path = 'cookieSession'
  refuseUnknownOptions(path, options, ['secret', 'cookie', 'load', 'revalidate'])
  refuseNoFunction(`${path}.load`, options.load, '`(id) => sessions.get(id)`', true)
  refuseNoFunction(`${path}.revalidate`, options.revalidate, '`(session) => sessions.has(session.id)`')
  const { load } = options
  const cookie = compiledCookie(options.cookie, `${path}.cookie`)
  const now = () => Date.now()
  const signature = datedCookieSignature(readSecrets(options.secret, `${path}.secret`, howToMakeOne, now()), now)
  const signedName = cookie.signs === 'name-and-value' ? `${cookie.name}=` : ''
  // The cookie may name a row whose session has an id of its own: `load` is asked again for what the cookie said.
  const { revalidate } = options
  const askAgain: AskAgain =
    revalidate === undefined ? (_session, named = '') => load(named) : (session) => revalidate(session)
  const facts = { askAgain }

  return {
    name: 'cookieSession',
    ambient: true,
    cookieName: cookie.name,
    scheme: { type: 'httpApiKey', in: 'cookie', name: cookie.name },
    accepts: { cookie: cookie.name, signs: cookie.signs, maxAge: options.cookie?.maxAge },
    loosened: cookie.loosened,
    authenticate(request) {
      const value = cookieValue(headerLines(request.raw, 'cookie'), cookie.name)
      if (value === undefined) return null
      const id = signedId(value, signature, signedName)
      return known(load(id), facts, id)
    },
    looksFor: `a signed cookie named \`${cookie.name}\`: set it with \`setSessionCookie(reply, id)\` when somebody signs in (browsers keep it over https and on http://localhost, and send it with pages of this site)`,
    recognises(request) {
      const value = cookieValue(headerLines(request.raw, 'cookie'), cookie.name)
      return value !== undefined && signedId(value, signature, signedName) !== ''
    },
    asksAgain: true,
    load,
    setSessionCookie(reply, id) {
      if (typeof id !== 'string' || id.length === 0 || id.length > longestId || !id.isWellFormed()) {
        throw badOption('setSessionCookie.id', typeof id, `Write a well-formed string of 1 to ${longestId} characters.`)
      }
      // The name is signed in front of the id and left out of the cookie, which has it already.
      const signed = signature.sign(signedName + id).slice(signedName.length)
      reply.header('set-cookie', `${cookie.name}=${encodeURIComponent(signed)}${cookie.maxAge}${attributes}`)
    },
    clearSessionCookie(reply) {
      reply.header('set-cookie', `${cookie.name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT${attributes}`)
    },
  }
}

const attributes = '; Path=/; Secure; HttpOnly; SameSite=Strict'

function signedId(value: string, signature: CookieSignature, signedName: string): string {
  if (value.length > longestValue) throw new RefusedCredential('a session cookie that is too long')
  const unsigned = signature.verify(signedName + decoded(value))
  if (unsigned === undefined) throw new RefusedCredential('a session cookie with a wrong signature')
  const id = unsigned.slice(signedName.length)
  if (id.length === 0 || id.length > longestId) throw new RefusedCredential('a session cookie without a usable id')
  return id
}

function decoded(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    throw new RefusedCredential('a session cookie that cannot be decoded')
  }
}

function compiledCookie(options: SessionCookieOptions = {}, path: string) {
  refuseUnknownOptions(path, options, ['name', 'dangerouslyAllowUnprefixedName', 'maxAge', 'signs'])
  const { name = '__Host-session', dangerouslyAllowUnprefixedName = false, maxAge, signs = 'value' } = options
  if (typeof name !== 'string' || !token.test(name))
    throw badOption(`${path}.name`, name, 'Write a name such as `__Host-session`.')
  if (typeof dangerouslyAllowUnprefixedName !== 'boolean') {
    throw badOption(
      `${path}.dangerouslyAllowUnprefixedName`,
      dangerouslyAllowUnprefixedName,
      'Write true, or leave it out.',
    )
  }
  const prefixed = name.startsWith('__Host-')
  if (!prefixed && !dangerouslyAllowUnprefixedName) {
    throw badOption(
      `${path}.name`,
      name,
      'Write a name that begins with `__Host-`, or add `dangerouslyAllowUnprefixedName: true`.',
    )
  }
  if (maxAge !== undefined) wholeNumber(maxAge, `${path}.maxAge`, '86_400 seconds')
  if (signs !== 'value' && signs !== 'name-and-value')
    throw badOption(`${path}.signs`, signs, "Write 'value' or 'name-and-value'.")
  return {
    name,
    signs,
    maxAge: maxAge === undefined ? '' : `; Max-Age=${maxAge}`,
    loosened: prefixed ? [] : [`${path}.dangerouslyAllowUnprefixedName`],
  }
}

factories.set(cookieSession, 'cookieSession({ secret, load })')
