import type { FastifyCookieOptions } from '@fastify/cookie'
import type { FastifyHelmetOptions } from '@fastify/helmet'
import type { WebsocketPluginOptions } from '@fastify/websocket'
import { type EnforceOptions, type EnforceSettings, resolveEnforce } from '../admission/enforcement.ts'
import { type AdmissionOptions, type AdmissionPolicy, compileAdmission } from '../admission/policy.ts'
import {
  type AuthenticateOption,
  type Authentication,
  compileAuthentication,
} from '../authentication/authentication.ts'
import type { WhenFull } from '../capacity/identity-capacity.ts'
import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject, wholeNumber } from '../option-checks.ts'
import type { EncodeMode } from '../outbound/outbound.ts'
import type { Bus } from '../relay/bus.ts'
import { checkBus } from '../relay/checked-bus.ts'
import { memoryBus } from '../relay/memory-bus.ts'
import { compileSanitizing, type SanitizeOptions, type SanitizePolicy } from '../sanitizing/sanitizing.ts'
import { checkMaxAge } from '../session/max-age.ts'
import type { AuditEvent } from '../telemetry/audit.ts'
import { type AuditOptions, type AuditSettings, resolveAudit } from './audit.ts'
import { type LimitOptions, type Limits, type RouteLimitOptions, resolveLimits } from './limits.ts'

/** `fastify.register(secureWs, options)`. `docs/options.md` says for each what it is for and what loosening it costs. */
export interface SecureWsOptions extends Partial<AdmissionOptions> {
  /**
   * The authenticator, a list of them, or a function `(request) => session | null`. Required: there is no default.
   * `false` admits everybody, and `socket.session` is `null`.
   */
  readonly authenticate: AuthenticateOption
  /** Every limit, in bytes, milliseconds and counts. Default: see `LimitOptions`. */
  readonly limits?: LimitOptions
  /** How long a session counts on an open socket, and how many sockets it may have. Default: see `SessionOptions`. */
  readonly session?: SessionOptions
  /**
   * Encoding of every string, key and value, that is not already `Encoded`: for HTML, for JSON in a script, or none.
   * Default `'html'`.
   */
  readonly encode?: EncodeMode
  /** A client that reads too slowly is closed with 1013, or misses messages. Default `'close'`. */
  readonly slowReader?: 'close' | 'drop'
  /**
   * Refuse pages that are on no list on the `upgrade` event, before the hooks of the application. `false`: hooks and the
   * request log see every handshake. Default `true`.
   */
  readonly earlyRefusal?: boolean
  /** Rules that report what they would refuse, and refuse nobody, until a date. Default: every rule is enforced. */
  readonly enforce?: EnforceOptions
  /** How HTML that users wrote is cleaned. Default: see `SanitizeOptions`. */
  readonly sanitize?: SanitizeOptions
  /** How nodes talk. Default `memoryBus()`: this process only. */
  readonly bus?: Bus
  /** Handed to `@fastify/cookie`, unless it is registered already. Default `{}`. */
  readonly cookie?: FastifyCookieOptions
  /**
   * Handed to `@fastify/helmet`, unless it is registered already; its headers stand on refusals and on nothing else of
   * the application. `false` leaves it out. Default `{}`.
   */
  readonly helmet?: FastifyHelmetOptions | false
  /** Handed to `@fastify/websocket`; what would weaken a guard fails registration. Default `{}`. */
  readonly websocket?: WebsocketPluginOptions
  /**
   * Fail the start over a route, a guarded path or a type in `receives` that has no `authorize`. `anySession` says that
   * everybody who is signed in may. Default `false`.
   */
  readonly denyByDefault?: boolean
  /**
   * Called with each event, before the log line of it. What it throws is logged and harms nobody. Default: none; events
   * go to the log and to the diagnostics channel `fastify-secure-ws:audit`. As an object it also says how persons are shown.
   */
  readonly audit?: ((event: AuditEvent) => void) | AuditOptions
  /**
   * Cookies, HTTP Basic and client certificates are attached by the browser whoever asks. Together with
   * `dangerouslyAllowAnyOrigin`, `dangerouslyAllowNullOrigin` or `allowMissingOrigin` that is cross-site WebSocket
   * hijacking, and registration fails unless this is `true` as well. Default `false`.
   */
  readonly dangerouslyAllowAmbientCredentials?: boolean
  /**
   * Path prefixes, such as `['/vite-hmr']`, whose upgrades are left to the other `upgrade` listeners of this server, without
   * any guard. Default none: another listener fails the start.
   */
  readonly dangerouslyLeaveUpgrades?: readonly string[]
}

/** The `session` option. */
export interface SessionOptions {
  /** How often an authenticator's `revalidate` is asked again while connected, in ms. Default 300,000. */
  readonly revalidateEvery?: number
  /** How long after `expiresAt` a socket is closed, in ms. Default 0. */
  readonly expiryGrace?: number
  /** How long a credential could live at most, in ms: a revocation is remembered for as long. Default 2,592,000,000 (30 days). */
  readonly maxAge?: number
  /** The fate of one more socket of a session or user that has all it may have: 429, or the oldest one is closed. Default `'refuse'`. */
  readonly whenFull?: WhenFull
}

/** Options a route may say differently, under its own `secureWs`. */
export interface RouteOverrides extends Partial<AdmissionOptions> {
  /** As for the plugin. Default: what the plugin says. */
  readonly authenticate?: AuthenticateOption
  /** Encoding of what the route sends. Default: what the plugin says. */
  readonly encode?: EncodeMode
  /** End of a client that reads too slowly. Default: what the plugin says. */
  readonly slowReader?: 'close' | 'drop'
  /** The limits of its sockets. Default: those of the plugin. */
  readonly limits?: RouteLimitOptions
  /** Rules that report for now; what it does not name is as the plugin says. Default: what the plugin says. */
  readonly enforce?: EnforceOptions
}

/** The plugin's options, finished: nothing here is looked at twice. */
export interface Settings {
  readonly admission: AdmissionOptions
  readonly admissionPolicy: AdmissionPolicy
  readonly authentication: Authentication
  readonly limits: Limits
  readonly session: Required<SessionOptions>
  readonly encode: EncodeMode
  readonly slowReader: 'close' | 'drop'
  readonly earlyRefusal: boolean
  readonly enforce: EnforceSettings
  readonly sanitize: SanitizePolicy
  readonly bus: Bus
  readonly cookie: FastifyCookieOptions
  readonly helmet: FastifyHelmetOptions | false
  readonly websocket: WebsocketPluginOptions
  readonly denyByDefault: boolean
  readonly audit: AuditSettings
  readonly dangerouslyAllowAmbientCredentials: boolean
  readonly dangerouslyLeaveUpgrades: readonly string[]
}

const admissionKeys = [
  'origins',
  'hosts',
  'allowMissingOrigin',
  'dangerouslyAllowNullOrigin',
  'dangerouslyAllowFileOrigin',
  'allowInsecureTransport',
] as const

const keys = [
  ...admissionKeys,
  'authenticate',
  'limits',
  'session',
  'encode',
  'slowReader',
  'earlyRefusal',
  'enforce',
  'sanitize',
  'bus',
  'cookie',
  'helmet',
  'websocket',
  'denyByDefault',
  'audit',
  'dangerouslyAllowAmbientCredentials',
  'dangerouslyLeaveUpgrades',
] as const

export const routeKeys = [
  ...admissionKeys,
  'authenticate',
  'encode',
  'slowReader',
  'limits',
  'enforce',
  'authorize',
  'receives',
  'sends',
  'refusedHtml',
  'binary',
  'protocols',
] as const

/**
 * Checks everything and turns it into finished values, before the first request.
 *
 * @param now in ms since the epoch: an end that is written as a date must not be too far ahead
 * @throws SecureWsError `SWS_BAD_OPTION` with the option's full path, the value and what to write instead;
 * `SWS_UNSAFE_OPTIONS` for options that are safe alone and not together.
 */
export function resolveOptions(options: unknown, now: number): Settings {
  const given: Record<string, unknown> = isPlainObject(options) ? options : {}
  checkKeys(given, keys, '')
  const admission = resolveAdmission(given)
  const session = given.session ?? {}
  if (!isPlainObject(session))
    throw badOption('session', session, 'Write { revalidateEvery: 300_000, expiryGrace: 0 }.')
  checkKeys(session, ['revalidateEvery', 'expiryGrace', 'maxAge', 'whenFull'], 'session')
  return {
    admission,
    admissionPolicy: compileAdmission(admission, ''),
    authentication: compileAuthentication(given.authenticate, 'authenticate'),
    limits: withPayloadBound(resolveLimits(given.limits, 'limits'), given.websocket),
    session: {
      revalidateEvery: milliseconds(session.revalidateEvery, 300_000, 'session.revalidateEvery'),
      expiryGrace: milliseconds(session.expiryGrace, 0, 'session.expiryGrace'),
      maxAge: checkMaxAge(session.maxAge, 'session.maxAge'),
      whenFull: oneOf(session.whenFull, ['refuse', 'evict-oldest'], 'refuse', 'session.whenFull'),
    },
    encode: oneOf(given.encode, ['html', 'json', 'none'], 'html', 'encode'),
    slowReader: oneOf(given.slowReader, ['close', 'drop'], 'close', 'slowReader'),
    earlyRefusal: boolean(given.earlyRefusal, true, 'earlyRefusal'),
    enforce: resolveEnforce(given.enforce, 'enforce', now),
    sanitize: compileSanitizing(given.sanitize ?? {}, 'sanitize'),
    bus: given.bus === undefined ? memoryBus() : checkBus(given.bus),
    cookie: objectOr(given.cookie, 'cookie', 'Write the options of @fastify/cookie.'),
    helmet: checkHelmet(given.helmet),
    websocket: checkWebsocket(given.websocket),
    denyByDefault: boolean(given.denyByDefault, false, 'denyByDefault'),
    audit: resolveAudit(given.audit),
    dangerouslyLeaveUpgrades: prefixes(given.dangerouslyLeaveUpgrades, 'dangerouslyLeaveUpgrades'),
    dangerouslyAllowAmbientCredentials: boolean(
      given.dangerouslyAllowAmbientCredentials,
      false,
      'dangerouslyAllowAmbientCredentials',
    ),
  }
}

/** What a route left unsaid is what the plugin says; admission is compiled anew when the route said anything about it. */
export function resolveAdmission(given: Record<string, unknown>, base?: AdmissionOptions): AdmissionOptions {
  const admission: Record<string, unknown> = {
    origins: 'same-origin',
    allowMissingOrigin: false,
    dangerouslyAllowNullOrigin: false,
    dangerouslyAllowFileOrigin: false,
    allowInsecureTransport: false,
    ...base,
  }
  // A route with origins of its own does not keep the plugin's idea of which hosts these imply, unless it was said.
  for (const key of admissionKeys) if (given[key] !== undefined) admission[key] = given[key]
  // compileAdmission checks every member at run time; what it is given here is still `unknown`.
  return admission as object as AdmissionOptions
}

export function saysAnythingOnAdmission(given: Record<string, unknown>): boolean {
  return admissionKeys.some((key) => given[key] !== undefined)
}

export function oneOf<T extends string>(value: unknown, legal: readonly T[], fallback: T, path: string): T {
  if (value === undefined) return fallback
  const found = legal.find((each) => each === value)
  if (found === undefined) throw badOption(path, value, `Write ${legal.map((each) => `'${each}'`).join(' or ')}.`)
  return found
}

function milliseconds(value: unknown, fallback: number, path: string): number {
  return value === undefined ? fallback : wholeNumber(value, path, `${fallback} milliseconds`, 0)
}

/** A hundred years at most: the end of a revocation is a time, and must stay one. */
function boolean(value: unknown, fallback: boolean, path: string): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  throw badOption(path, value, 'Write true or false.')
}

function prefixes(value: unknown, path: string): readonly string[] {
  const advice = "Write a list of paths such as ['/vite-hmr']. A single `/` would leave every upgrade unguarded."
  if (value === undefined) return []
  if (!Array.isArray(value)) throw badOption(path, value, advice)
  for (const each of value as unknown[]) {
    if (typeof each !== 'string' || !/^\/[^/?#][^?#]*$/.test(each)) throw badOption(path, each, advice)
  }
  return [...(value as string[])]
}

function objectOr(value: unknown, path: string, advice: string): Record<string, unknown> {
  if (value === undefined) return {}
  if (isPlainObject(value)) return value
  throw badOption(path, value, advice)
}

/** Here it would speak for every route of the application. */
function checkHelmet(value: unknown): FastifyHelmetOptions | false {
  if (value === false) return false
  const given = objectOr(value, 'helmet', 'Write the options of @fastify/helmet, or false.')
  if (given.global === undefined || given.global === false) return given
  throw badOption(
    'helmet.global',
    given.global,
    'The headers stand on what this plugin answers. To have them on every route, register @fastify/helmet yourself, before this plugin.',
  )
}

/** ws's own `maxPayload` may lower our bound, never raise it. */
function withPayloadBound(limits: Limits, websocket: unknown): Limits {
  const { options } = objectOr(websocket, 'websocket', 'Write the options of @fastify/websocket.')
  const { maxPayload } = objectOr(options, 'websocket.options', "Write the options of ws's WebSocketServer.")
  if (maxPayload === undefined) return limits
  if (
    typeof maxPayload !== 'number' ||
    !Number.isSafeInteger(maxPayload) ||
    maxPayload < 1 ||
    maxPayload > limits.messageBytes
  ) {
    throw badOption(
      'websocket.options.maxPayload',
      maxPayload,
      `Set \`limits.messageBytes\` (${limits.messageBytes}) instead.`,
    )
  }
  return { ...limits, messageBytes: maxPayload }
}

/** Each of these would put a door beside the guard, or take the guard's own socket away. */
const forbidden = new Map([
  ['WebSocket', 'The socket class is what makes sockets secure: remove it.'],
  ['noServer', 'Remove it: @fastify/websocket always routes upgrades through Fastify.'],
  ['handleProtocols', "Remove it and list the sub-protocols in a route's `secureWs.protocols`."],
  ['skipUTF8Validation', 'Remove it: text that is not UTF-8 is closed with 1007.'],
  ['autoPong', 'Remove it: a ping must be answered (RFC 6455 section 5.5.2).'],
])

function checkWebsocket(value: unknown): WebsocketPluginOptions {
  const given = objectOr(value, 'websocket', 'Write the options of @fastify/websocket.')
  checkKeys(given, ['errorHandler', 'preClose', 'options'], 'websocket')
  for (const name of ['errorHandler', 'preClose']) {
    const listener = given[name]
    if (listener !== undefined && typeof listener !== 'function') {
      throw badOption(`websocket.${name}`, listener, 'Write a function, or leave it out.')
    }
  }
  const options = objectOr(given.options, 'websocket.options', "Write the options of ws's WebSocketServer.")
  for (const [name, advice] of forbidden) {
    if (options[name] !== undefined) throw badOption(`websocket.options.${name}`, options[name], advice)
  }
  if (options.verifyClient !== undefined && typeof options.verifyClient !== 'function') {
    throw badOption('websocket.options.verifyClient', options.verifyClient, 'Write a function, or leave it out.')
  }
  return given
}
