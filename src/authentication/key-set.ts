import type { FetchImplementation, JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { badOption } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import { shapeOf } from './known-options.ts'

const jose = lazyLoad<typeof import('jose')>('jose')

/** `https://...` (or plain `http` on loopback), or the key set itself. */
export type KeySet = string | URL | JSONWebKeySet

const timeout = 5_000
const cooldown = 30_000
const longestAge = 600_000
const largestSet = 262_144
/** After a failed fetch, further ones fail at once for so long. jose counts its cooldown from a success only. */
const pauseAfterFailure = 5_000
const advice = "Write the issuer's key set: an https URL, or an object `{ keys: [...] }`."

/**
 * The keys of an issuer, chosen by the token's `kid` among those whose type fits the algorithm. A set from a URL is fetched
 * when first needed, again after 10 minutes, and when a `kid` is unknown, but then at most every 30 seconds: tokens with
 * made-up `kid`s must not make this server hammer the issuer's.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function keySet(set: unknown, path: string): JWTVerifyGetKey {
  const url = urlOf(set)
  if (url !== undefined) {
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
      throw badOption(
        path,
        `${url.protocol}//${url.host}`,
        `Keys fetched in the clear can be replaced on the way. ${advice}`,
      )
    }
    if (url.username !== '' || url.password !== '')
      throw badOption(path, url.host, 'Write the URL without user and password.')
    const { createRemoteJWKSet, customFetch } = jose()
    return createRemoteJWKSet(url, {
      timeoutDuration: timeout,
      cooldownDuration: cooldown,
      cacheMaxAge: longestAge,
      [customFetch]: boundedFetch(() => performance.now()),
    })
  }
  if (!isKeySet(set)) throw badOption(path, shapeOf(set), advice)
  try {
    return jose().createLocalJWKSet(set)
  } catch {
    throw badOption(path, shapeOf(set), advice)
  }
}

/** The address of a set that is fetched, without its query, which may hold a secret. */
export function addressOf(set: KeySet): string | undefined {
  const url = urlOf(set)
  return url && url.origin + url.pathname
}

/** Bounds what the issuer's server can do to this one: a size, no redirect elsewhere, and a pause after it has failed. */
export function boundedFetch(now: () => number, fetchSet: FetchImplementation = fetch): FetchImplementation {
  let pausedUntil = Number.NEGATIVE_INFINITY
  return async (url, options) => {
    if (now() < pausedUntil) throw new Error('the key set could not be fetched a moment ago')
    try {
      const response = await fetchSet(url, options)
      if (response.status !== 200) throw new Error('the key set was not answered with 200')
      return new Response(await boundedText(response))
    } catch (error) {
      pausedUntil = now() + pauseAfterFailure
      throw error
    }
  }
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  // Leaving the loop by a throw cancels the body, so the rest is not downloaded.
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > largestSet) throw new Error('the key set is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function urlOf(set: unknown): URL | undefined {
  if (set instanceof URL) return set
  return typeof set === 'string' ? (URL.parse(set) ?? undefined) : undefined
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
}

function isKeySet(set: unknown): set is JSONWebKeySet {
  return typeof set === 'object' && set !== null && 'keys' in set && Array.isArray(set.keys) && set.keys.length > 0
}
