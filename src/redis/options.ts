import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { badOption } from '../errors.ts'
import { readSecrets, type Secret, stillValid } from '../session/secrets.ts'
import { type RedisClient, type RedisSource, redisSource } from './client.ts'
import { type RedisTls, redisUrlSource } from './url.ts'

/** Options of `redisBus`. */
export interface RedisBusOptions {
  /** `rediss://user:password@host:6379/0`. Needs the package `redis`. No default: give either this or `client`. */
  readonly url?: string
  /**
   * With `url`: certificates for `rediss://`. Default: the authorities of the system. The server is always verified.
   */
  readonly tls?: RedisTls
  /**
   * With `url`: admit `redis://` beyond loopback. Everything in rooms then crosses that network in the clear. Default
   * `false`.
   */
  readonly allowInsecureTransport?: boolean
  /**
   * A node-redis or ioredis client (also a cluster) to copy: two connections of our own are made from its options. No
   * default: give either this or `url`.
   */
  readonly client?: RedisClient
  /**
   * In front of every key and channel: letters, digits, `_ . -`, at most 64. Required, because a shared default would
   * silently join applications that happen to use one Redis. No `:` in it, so that no prefix can begin with another one's.
   */
  readonly channel: string
  /**
   * 32 bytes or more, shared by all nodes; a list to rotate: the first signs, all verify, each until its `validUntil` if it is
   * written `{ secret, validUntil }`. Who only has Redis cannot forge.
   */
  readonly secret: Secret | readonly Secret[]
  /** Most that the clocks of two nodes may differ, in ms, 1,000 to 600,000. Default 30,000. */
  readonly clockSkew?: number
  /**
   * How long what a node holds (places under caps, presence) outlives it when it is killed, in ms, 1,000 to 600,000; renewed
   * three times as often. Default 30,000. Shorter costs Redis more commands, and forgets a node that pauses for so long.
   */
  readonly leaseTtl?: number
}

/** The options as values that can be used at once. */
export interface RedisBusPlan {
  readonly source: RedisSource
  readonly channel: string
  readonly clockSkew: number
  readonly leaseTtl: number
  readonly secret: () => readonly KeyObject[]
}

const optionNames = ['url', 'tls', 'allowInsecureTransport', 'client', 'channel', 'secret', 'clockSkew', 'leaseTtl']

export function compileRedisBus(options: RedisBusOptions): RedisBusPlan {
  if (typeof options !== 'object' || options === null)
    throw badOption('bus', options, 'Write redisBus({ url, channel, secret }).')
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name))
      throw badOption(`redisBus.${name}`, Reflect.get(options, name), `Known are ${optionNames.join(', ')}.`)
  }
  const {
    url,
    tls,
    allowInsecureTransport = false,
    client,
    channel,
    secret,
    clockSkew = 30_000,
    leaseTtl = 30_000,
  } = options
  if (typeof channel !== 'string' || !/^[A-Za-z0-9_.-]{1,64}$/.test(channel)) {
    throw badOption(
      'redisBus.channel',
      channel,
      "Name your application, e.g. 'shop-production': letters, digits, `_ . -`, at most 64.",
    )
  }
  if (!Number.isSafeInteger(clockSkew) || clockSkew < 1_000 || clockSkew > 600_000) {
    throw badOption(
      'redisBus.clockSkew',
      clockSkew,
      'Write milliseconds from 1_000 to 600_000; synchronised clocks need no more than the default, 30_000.',
    )
  }
  if (!Number.isSafeInteger(leaseTtl) || leaseTtl < 1_000 || leaseTtl > 600_000) {
    throw badOption('redisBus.leaseTtl', leaseTtl, 'Write milliseconds from 1_000 to 600_000, such as 30_000.')
  }
  if ((url === undefined) === (client === undefined)) {
    throw badOption(
      'redisBus.url',
      url === undefined ? undefined : 'given together with `client`',
      'Give either `url` or `client`.',
    )
  }
  if (client !== undefined && (tls !== undefined || allowInsecureTransport)) {
    throw badOption(
      'redisBus.tls',
      tls,
      '`tls` and `allowInsecureTransport` belong to `url`; a `client` brings its own transport.',
    )
  }
  const source =
    client === undefined ? redisUrlSource({ url, tls, allowInsecureTransport }) : redisSource(client, 'redisBus.client')
  return { channel, clockSkew, leaseTtl, secret: compileSecret(secret, channel), source }
}

const howToMakeOne =
  'Write 32 bytes or more, the same on every node, e.g. from `node -p "crypto.randomBytes(32).toString(\'base64\')"`; a list to rotate.'

/** The keys that count when they are asked for. Printing the bus shows none of them: a KeyObject prints as its type. */
function compileSecret(secret: unknown, channel: string): () => readonly KeyObject[] {
  const now = () => Date.now()
  const keys = readSecrets(secret, 'redisBus.secret', howToMakeOne, now()).map(({ value, validUntil }) => ({
    // Its own key per prefix: two applications that share a secret by mistake still do not understand each other.
    value: createSecretKey(createHmac('sha256', value).update(`fastify-secure-ws relay ${channel}`).digest()),
    validUntil,
  }))
  return stillValid(keys, now)
}
