import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject, join } from '../option-checks.ts'

/** The rules of the handshake that can be tried out before they refuse anybody. */
export const handshakeRules = [
  'transport',
  'host',
  'origin',
  'fetchMetadata',
  'capacity',
  'session',
  'authorize',
] as const

/** Those of messages. A schema is none: what a listener gets is what its schema admits, or the listener was lied to. */
const messageRules = ['messageRate', 'replay', 'freshAuth', 'messageAuthorize'] as const

const reportable = [...handshakeRules, ...messageRules] as const

/** A rule that `enforce` names. */
export type EnforceRule = (typeof reportable)[number]

/** The `enforce` option: each rule that it does not name is enforced. */
export interface EnforceOptions {
  /**
   * The end of all reporting: a day in UTC, `'2027-03-01'`, or a time with its zone, `'2027-03-01T09:00:00Z'`. From then on every
   * rule refuses. At most a year ahead. Required where a rule is reported. Default of a route: that of the plugin.
   */
  readonly until?: string
  /** The connection is encrypted. Default `'enforce'`. */
  readonly transport?: Enforce
  /** `Host` is one of `hosts`. Default `'enforce'`. */
  readonly host?: Enforce
  /** `Origin` is one of `origins`. Default `'enforce'`. */
  readonly origin?: Enforce
  /** The browser's own words about the page fit its origin. Default `'enforce'`. */
  readonly fetchMetadata?: Enforce
  /** The limits on connections and handshakes, of all, of an address, a session and a user. Default `'enforce'`. */
  readonly capacity?: Enforce
  /** `authenticate` knows who it is. Reported, whoever it does not know is anonymous: `socket.session` is `null`. Default `'enforce'`. */
  readonly session?: Enforce
  /** The route's `authorize` says `true`. Default `'enforce'`. */
  readonly authorize?: Enforce
  /** The pace of messages: `limits.messages`, `limits.bytes`, and the `rate` of a type. What waits stays bounded. Default `'enforce'`. */
  readonly messageRate?: Enforce
  /** The `replay` of a type. Reported, a message that comes twice is delivered twice. Default `'enforce'`. */
  readonly replay?: Enforce
  /** The `freshAuth` of a type. Default `'enforce'`. */
  readonly freshAuth?: Enforce
  /** The `authorize` of a type says `true`. Default `'enforce'`. */
  readonly messageAuthorize?: Enforce
}

/** `'report'`: the rule decides, an event tells what it would have refused, and the handshake or the message goes on. */
export type Enforce = 'enforce' | 'report'

/** The finished option. */
export interface EnforceSettings {
  readonly rules: Readonly<Record<EnforceRule, Enforce>>
  /** In ms since the epoch. */
  readonly until: number
}

export const everythingEnforced: EnforceSettings = {
  rules: {
    transport: 'enforce',
    host: 'enforce',
    origin: 'enforce',
    fetchMetadata: 'enforce',
    capacity: 'enforce',
    session: 'enforce',
    authorize: 'enforce',
    messageRate: 'enforce',
    replay: 'enforce',
    freshAuth: 'enforce',
    messageAuthorize: 'enforce',
  },
  until: Number.NEGATIVE_INFINITY,
}

const longest = 366 * 86_400_000
const howToSay = "Write a day such as '2027-03-01', or a time with its zone such as '2027-03-01T09:00:00Z'"

/**
 * @param base what holds where nothing is said
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function resolveEnforce(given: unknown, path: string, now: number, base = everythingEnforced): EnforceSettings {
  if (given === undefined) return base
  if (!isPlainObject(given)) {
    throw badOption(path, given, "Write an object such as { origin: 'report', until: '2027-03-01' }.")
  }
  checkKeys(given, ['until', ...reportable], path)
  const rules = { ...base.rules }
  for (const rule of reportable) {
    const said = given[rule]
    if (said === undefined) continue
    if (said !== 'report' && said !== 'enforce') throw badOption(join(path, rule), said, "Write 'report' or 'enforce'.")
    rules[rule] = said
  }
  const until = given.until === undefined ? base.until : readUntil(given.until, join(path, 'until'), now)
  if (until === everythingEnforced.until && reportable.some((rule) => rules[rule] === 'report')) {
    throw badOption(join(path, 'until'), undefined, `${howToSay}: from then on every rule refuses.`)
  }
  return { rules, until }
}

/** A past end is no mistake: an application that restarts after it must come up, with everything enforced. */
function readUntil(value: unknown, path: string, now: number): number {
  if (
    typeof value !== 'string' ||
    !/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(value)
  )
    throw badOption(path, value, `${howToSay}.`)
  const until = Date.parse(value)
  // JavaScript takes February 31st for March 3rd.
  const day = new Date(`${value.slice(0, 10)}T00:00:00Z`)
  if (Number.isNaN(until) || Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== value.slice(0, 10))
    throw badOption(path, value, `${howToSay}: this one does not exist.`)
  if (until > now + longest) throw badOption(path, value, 'Write an end within a year: reporting protects nobody.')
  return until
}

/** The rules of one route that report for now. */
export interface Enforcement {
  /** Whether this rule only reports, at this moment. */
  reports(rule: EnforceRule): boolean
  /** The rules that report, with their end; nothing once that has passed. */
  explain(): { readonly report: readonly EnforceRule[]; readonly until: string } | undefined
  /** The same in words, for the one warning at startup. */
  readonly loosened: readonly string[]
}

const costs: Readonly<Record<EnforceRule, string>> = {
  transport: 'credentials and messages may come in the clear',
  host: 'any name that points here may be used',
  origin: 'any web page may connect',
  fetchMetadata: 'what browsers say about a page is not held against it',
  capacity: 'connections and handshakes have no limit',
  session: 'whoever nobody knows is admitted, as anonymous',
  authorize: 'whoever the route would forbid is admitted',
  messageRate: 'messages have no pace',
  replay: 'a message that is sent again is delivered again',
  freshAuth: 'nobody has to sign in again for a message',
  messageAuthorize: 'messages that a type would forbid are delivered',
}

/** @param now a date is a date of the calendar: the clock that can be set */
export function createEnforcement({ rules, until }: EnforceSettings, now: () => number): Enforcement {
  const reported = reportable.filter((rule) => rules[rule] === 'report')
  const isOver = () => now() >= until
  return {
    reports: (rule) => rules[rule] === 'report' && !isOver(),
    explain: () =>
      reported.length === 0 || isOver() ? undefined : { report: reported, until: new Date(until).toISOString() },
    loosened: isOver()
      ? []
      : reported.map((rule) => `enforce.${rule}: 'report' until ${new Date(until).toISOString()} (${costs[rule]})`),
  }
}
