import { badOption, SecureWsError } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import { type RedisSource, redisSource } from './client.ts'

/** Certificates for `rediss://`, as `tls.connect` takes them. */
export interface RedisTls {
  /** Authorities that the certificate of the server may come from. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Our certificate, where the server asks for one. */
  readonly cert?: string | Uint8Array
  /** Its private key. */
  readonly key?: string | Uint8Array
  /** The name to verify, where the URL has only an address. */
  readonly servername?: string
}

const tlsNames = ['ca', 'cert', 'key', 'servername']

export interface RedisUrlOptions {
  readonly url: unknown
  readonly tls: RedisTls | undefined
  readonly allowInsecureTransport: boolean
}

/** `redis` is looked for at registration, so that its absence is told there, and only to those who write `url`. */
export function redisUrlSource({ url, tls, allowInsecureTransport }: RedisUrlOptions): RedisSource {
  const parsed = parseUrl(url)
  if (parsed.protocol === 'redis:' && !allowInsecureTransport && !isLoopback(parsed.hostname)) {
    throw badOption(
      'redisBus.url',
      withoutPassword(parsed),
      'Write rediss://, or set `allowInsecureTransport: true` if nobody else can read that network.',
    )
  }
  if (tls !== undefined) {
    if (parsed.protocol !== 'rediss:')
      throw badOption('redisBus.tls', 'given with redis://', 'Write rediss:// in `url`.')
    // Also refuses `rejectUnauthorized`: there is no way to leave the server unverified here.
    const other = Object.keys(tls).find((name) => !tlsNames.includes(name))
    if (other !== undefined) {
      throw badOption(`redisBus.tls.${other}`, Reflect.get(tls, other), `Known are ${tlsNames.join(', ')}.`)
    }
  }
  const secure = parsed.protocol === 'rediss:'
  const socket = { ...tls, tls: true, minVersion: 'TLSv1.2', rejectUnauthorized: true }
  const client = loadCreateClient()({
    url: parsed.href,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    ...(secure && { socket }),
  })
  return redisSource(client, 'redisBus.url')
}

function parseUrl(url: unknown): URL {
  const advice = 'Write redis://127.0.0.1:6379 or rediss://user:password@host:6379.'
  // The value may hold a password: it is not shown.
  if (typeof url !== 'string' || !URL.canParse(url)) throw badOption('redisBus.url', 'no URL', advice)
  const parsed = new URL(url)
  if (parsed.protocol === 'redis:' || parsed.protocol === 'rediss:') return parsed
  throw badOption('redisBus.url', withoutPassword(parsed), advice)
}

function withoutPassword(url: URL): string {
  return `${url.protocol}//${url.host}`
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

const redisModule = lazyLoad<unknown>('redis')

function loadCreateClient(): (options: object) => unknown {
  let loaded: unknown
  try {
    loaded = redisModule()
  } catch (cause) {
    throw new SecureWsError(
      'SWS_BAD_OPTION',
      'fastify-secure-ws: `redisBus({ url })` needs the package `redis`. Write `npm install redis`, or pass a `client`.',
      { cause },
    )
  }
  const create: unknown = Reflect.get(Object(loaded), 'createClient')
  if (typeof create !== 'function')
    throw badOption('redisBus.url', 'given', 'The installed `redis` is too old: install 5 or later.')
  return (options) => Reflect.apply(create, undefined, [options])
}
