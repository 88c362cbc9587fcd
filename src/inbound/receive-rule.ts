import { badOption } from '../errors.ts'
import { wholeNumber } from '../option-checks.ts'
import { eventTypes } from '../schema/message-type.ts'
import type { Session } from '../session/session.ts'
import type { Authorize } from './authorize.ts'
import type { Pace, Rate } from './rate.ts'
import { compileRate } from './rate.ts'
import type { MessageSchema } from './schema.ts'
import { compileSchema } from './schema.ts'

/** What a route says about one message type it receives. */
export interface ReceiveRule {
  /**
   * TypeBox or plain JSON Schema (what other libraries write is converted before), of the message without its envelope (`type`, `id`, and with `replay` also `nonce` and `at`).
   * Properties it does not name are refused, unless it says `additionalProperties`. A string may carry `sanitize: [...]`
   * ('strip-tags', 'one-line', 'trim') and `contentMediaType: 'text/html'`: applied in order once the message is valid, and the
   * message must still be valid after the text steps.
   */
  readonly schema: object
  /** Of the listener's return value, of any kind of value. Read where the route is compiled: the way out is not known here. */
  readonly reply?: object
  // Method syntax on purpose: a route's own function asks for narrower types than this folder knows.
  /** Asked for every message; only `true` admits it. */
  authorize?(session: Session | null, message: object, request: object): boolean | Promise<boolean>
  /** Of this type, per socket, besides `limits.messages`. */
  readonly rate?: Rate
  /** Milliseconds the client's clock may be off, either way, and in which one `nonce` counts once per session. */
  readonly replay?: { readonly window: number }
  /** Milliseconds since `session.authenticatedAt` at most; else `SWS_STEP_UP_REQUIRED`. */
  readonly freshAuth?: number
}

/** The same, as finished values. */
export interface CompiledRule {
  readonly type: string
  readonly schema: MessageSchema
  readonly authorize: Authorize | undefined
  readonly pace: Pace | undefined
  readonly replayWindow: number | undefined
  readonly freshAuth: number | undefined
}

const typeName = /^[a-z][\w.:-]{0,63}$/i

/** Members of the options object that are known, so that a misspelt guard is not silently left out. */
const ruleKeys = ['schema', 'reply', 'authorize', 'rate', 'replay', 'freshAuth']

/**
 * @param receives own enumerable members only. Names such as `toString` or `constructor` are fine: they are looked up in a Map
 * @throws SWS_BAD_OPTION
 */
export function compileRules(receives: unknown, path: string): Map<string, CompiledRule> {
  if (typeof receives !== 'object' || receives === null || Array.isArray(receives)) {
    throw badOption(path, receives, 'Write an object of message types: `{ say: { schema: ... } }`.')
  }
  return new Map(Object.entries(receives).map(([type, rule]) => [type, compileRule(type, rule, `${path}.${type}`)]))
}

/** The message that carries a new token for the session that is open: `{ type: 'refresh', token }`. */
export const refreshType = 'refresh'

/** The message of a client that asks whether the server is there: browsers see no pings. */
export const pingType = 'ping'

export function pingRule(): CompiledRule {
  const schema = compileSchema({ type: 'object' }, ['type', 'id'], pingType)
  const none = { authorize: undefined, pace: undefined, replayWindow: undefined, freshAuth: undefined }
  return { type: pingType, schema, ...none }
}

/** As strict as every other: one token, no larger than a header line could be. */
export function refreshRule(): CompiledRule {
  const token = { type: 'string', minLength: 1, maxLength: 16_384 }
  return {
    type: refreshType,
    schema: compileSchema({ type: 'object', properties: { token }, required: ['token'] }, ['type', 'id'], refreshType),
    authorize: undefined,
    pace: compileRate({ perSecond: 1, burst: 5 }, refreshType),
    replayWindow: undefined,
    freshAuth: undefined,
  }
}

function compileRule(type: string, rule: unknown, path: string): CompiledRule {
  if (!typeName.test(type)) {
    throw badOption(path, type, 'A message type starts with a letter and has at most 64 letters, digits and `_ . : -`.')
  }
  if (eventTypes.has(type) || /^sws\./i.test(type)) {
    throw badOption(path, type, 'This name is an event of the socket itself, or one of this package: choose another.')
  }
  if (typeof rule !== 'object' || rule === null) throw badOption(path, rule, 'Write `{ schema: ... }`.')
  for (const key of Object.keys(rule)) {
    if (ruleKeys.includes(key)) continue
    throw badOption(`${path}.${key}`, Reflect.get(rule, key), `A message type has ${ruleKeys.join(', ')}.`)
  }
  const replayWindow = readReplay(Reflect.get(rule, 'replay'), `${path}.replay`)
  const envelope = replayWindow === undefined ? ['type', 'id'] : ['type', 'id', 'nonce', 'at']
  const rate: unknown = Reflect.get(rule, 'rate')
  const freshAuth: unknown = Reflect.get(rule, 'freshAuth')
  return {
    type,
    schema: compileSchema(Reflect.get(rule, 'schema'), envelope, `${path}.schema`),
    authorize: readAuthorize(Reflect.get(rule, 'authorize'), `${path}.authorize`),
    pace: rate === undefined ? undefined : compileRate(rate, `${path}.rate`),
    replayWindow,
    freshAuth:
      freshAuth === undefined ? undefined : wholeNumber(freshAuth, `${path}.freshAuth`, '300_000 milliseconds'),
  }
}

function readAuthorize(authorize: unknown, path: string): Authorize | undefined {
  if (authorize === undefined) return undefined
  if (isAuthorize(authorize)) return authorize
  throw badOption(path, authorize, 'Write a function `(session, message, request) => boolean`, or leave it out.')
}

function isAuthorize(value: unknown): value is Authorize {
  return typeof value === 'function'
}

function readReplay(replay: unknown, path: string): number | undefined {
  if (replay === undefined) return undefined
  if (typeof replay !== 'object' || replay === null) throw badOption(path, replay, 'Write `{ window: 30_000 }`.')
  for (const key of Object.keys(replay)) {
    if (key !== 'window') throw badOption(`${path}.${key}`, Reflect.get(replay, key), 'It has `window` only.')
  }
  return wholeNumber(Reflect.get(replay, 'window'), `${path}.window`, '30_000 milliseconds')
}

/** A rule as plain values. */
export function explainRule({ pace, authorize, replayWindow, freshAuth, schema }: CompiledRule): object {
  return {
    authorized: authorize !== undefined,
    rate: pace && { perSecond: pace.perMillisecond * 1000, burst: pace.burst },
    replay: replayWindow === undefined ? undefined : { window: replayWindow },
    freshAuth,
    sanitized: schema.cleaning !== undefined,
  }
}
