import {
  anyChange,
  isMembers,
  type Judge,
  members,
  named,
  noLess,
  noLooserThan,
  noMore,
  nothingNew,
  orMissing,
  same,
  shown,
  staysOff,
  staysOn,
  whatever,
} from './judge.ts'
import { isNarrower } from './narrower.ts'
import { origins } from './origins.ts'

const rate = members({ perSecond: noMore, burst: noMore })

/** A limit that is larger lets through more, or for longer. The drain is how the server stops, and guards nothing. */
const limits = members({
  ...{ handshake: noMore, connections: noMore, connectionsPerAddress: noMore, connectionsPerSession: noMore },
  ...{ connectionsPerUser: noMore, handshakesPerMinutePerAddress: noMore, refusedPerMinutePerAddress: noMore },
  ...{ messageBytes: noMore, messageDepth: noMore, messages: rate, bytes: rate, inboundQueue: noMore },
  ...{ listener: noMore, refusals: members({ perMinute: noMore }), requests: noMore, roomsPerSocket: noMore },
  outboundBytes: noMore,
  ...{ memoryBytes: noMore, writeTimeout: noMore, partialMessage: noMore, idle: noMore, lookup: noMore },
  heartbeat: members({ every: noMore, timeout: noMore }),
  lifetime: noMore,
  drain: whatever,
})

const server = members({
  session: members({ revalidateEvery: noMore, expiryGrace: noMore, maxAge: noLess, whenFull: anyChange }),
  denyByDefault: staysOn,
  earlyRefusal: staysOn,
  slowReader: noLooserThan('close', 'drop'),
  sanitize: members({ inputBytes: noMore, timeLimit: noMore, queue: noMore }),
  // Headers that were off are on, or nobody can tell which ones are stricter.
  helmet: (before, after, at, say) => {
    if (before !== false) anyChange(before, after, at, say)
  },
  dangerouslyUnsignedBus: staysOff,
  dangerouslyAllowAmbientCredentials: staysOff,
  dangerouslyLeaveUpgrades: nothingNew,
})

/** The same methods, in whatever order: one more is a way in, and one that is gone was a guard. */
const methods: Judge = (before, after, at, say) => {
  nothingNew(before, after, at, say)
  nothingNew(after, before, at, (line) => say(line.replace(/ is new$/, ' is gone')))
}

const authenticate = members({
  anonymous: staysOff,
  ambient: staysOff,
  methods,
  loosened: nothingNew,
  neverAskedAgain: nothingNew,
})

/** The judges of what each authenticator accepts. Whether somebody is asked again is told of by `authenticate.neverAskedAgain`. */
const credentials = new Map<string, Judge>([
  [
    'bearer',
    members({
      ...{ algorithms: nothingNew, issuer: nothingNew, audience: nothingNew, from: nothingNew, clockTolerance: noMore },
      typ: orMissing(anyChange, 'looser'),
    }),
  ],
  [
    'cookieSession',
    members({
      signs: noLooserThan('name-and-value', 'value'),
      // Without one the cookie goes when the browser is closed.
      maxAge: orMissing(noMore, 'tighter'),
    }),
  ],
  ['basic', members({ refuseEvery: noLess })],
])

/** A method that is gone, or new, has been told of. */
const accepts: Judge = (before, after, at, say) => {
  if (!isMembers(before) || !isMembers(after)) return anyChange(before, after, at, say)
  const were = new Map(Object.entries(before))
  for (const [method, is] of Object.entries(after)) {
    // The second of a kind is `bearer#2`.
    const judge = credentials.get(method.replace(/#\d+$/, '')) ?? anyChange
    if (were.has(method)) judge(were.get(method), is, `${at}.${method}`, say)
  }
}

const isReport = (value: unknown): value is { readonly report: readonly unknown[]; readonly until: string } =>
  isMembers(value) && Array.isArray(Reflect.get(value, 'report')) && typeof Reflect.get(value, 'until') === 'string'

const enforce: Judge = (before, after, at, say) => {
  if (after === 'everything') return
  const rules = isReport(before) ? before : { report: [], until: '' }
  if (!isReport(after) || (!isReport(before) && before !== 'everything')) return anyChange(before, after, at, say)
  for (const rule of after.report) if (!rules.report.includes(rule)) say(`${at}: ${shown(rule)} only reports`)
  // Both are `toISOString`, of years with four digits.
  if (isReport(before) && after.until > rules.until)
    say(`${at}: reports until ${shown(after.until)}, not ${shown(rules.until)}`)
}

const rule = members({
  authorized: staysOn,
  rate: orMissing(rate, 'looser'),
  replay: orMissing(members({ window: noMore }), 'looser'),
  freshAuth: orMissing(noMore, 'looser'),
  sanitized: staysOn,
})

const schema: Judge = (before, after, at, say) => {
  if (!isNarrower(before, after)) say(`${at}: the schema is another one, and may admit more`)
}

/** Its validator leaves an object open, where that of a message closes it: a change of either kind may admit more. */
const requestPart = orMissing(anyChange, 'looser')
const request = members({ params: requestPart, querystring: requestPart, headers: requestPart })

/** Nothing declared lets everything in. */
const receives: Judge = orMissing(named(rule), 'looser')

const sends: Judge = (before, after, at, say) => {
  if (before !== 'anything') nothingNew(before, after, at, say)
}

/** Without a declared reply a listener's value leaves as it is where nothing is declared, and not at all where something is. */
const repliesOf =
  (declares: boolean): Judge =>
  (before, after, at, say) => {
    if (!isMembers(before) || !isMembers(after)) return anyChange(before, after, at, say)
    const [were, are] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
    for (const type of new Set([...were.keys(), ...are.keys()])) {
      const [was, is] = [were.get(type), are.get(type)]
      if (was !== undefined && is !== undefined) schema(was, is, `${at}.${type}`, say)
      else if (is === undefined && !declares) say(`${at}.${type} is gone: any value is sent`)
      else if (was === undefined && declares) say(`${at}.${type} is new: a value is sent`)
    }
  }

/** A type that is gone, or new, has been told of where the rules are. */
const whereBoth: Judge = (before, after, at, say) => {
  if (!isMembers(before) || !isMembers(after)) return anyChange(before, after, at, say)
  const were = new Map(Object.entries(before))
  for (const [type, is] of Object.entries(after)) if (were.has(type)) schema(were.get(type), is, `${at}.${type}`, say)
}

const route: Judge = (before, after, at, say) => {
  const declares = isMembers(after) && Array.isArray(Reflect.get(after, 'sends'))
  const judged = members({
    origins,
    hosts: nothingNew,
    ...{ allowMissingOrigin: staysOff, dangerouslyAllowNullOrigin: staysOff, dangerouslyAllowFileOrigin: staysOff },
    allowInsecureTransport: staysOff,
    enforce,
    authenticate,
    accepts,
    slowReader: noLooserThan('close', 'drop'),
    authorize: staysOn,
    protocols: whatever,
    encode: noLooserThan('html', 'json', 'none'),
    refusedHtml: noLooserThan('refuse', 'mark'),
    receives,
    // A raw route takes every frame; what it takes with `receives` alone is no binary frame.
    binary:
      isMembers(after) && Reflect.get(after, 'receives') !== undefined
        ? orMissing(nothingNew, 'tighter')
        : orMissing(nothingNew, 'looser'),
    sends,
    limits,
    guard: anyChange,
    schemas: members({
      request,
      ...{ receives: whereBoth, sends: whereBoth, replies: repliesOf(declares) },
      answers: (before, after, at, say) => named(schema)(before ?? {}, after ?? {}, at, say),
    }),
  })
  judged(before, after, at, say)
}

const policy = members({ lockVersion: anyChange, server, routes: named(route, (_at, name) => name) })

/**
 * Each way, in a line, in which one policy lets through more than another. A setting that is not known here counts as looser when
 * it changes.
 */
export function loosened(before: unknown, after: unknown): readonly string[] {
  const lines = new Set<string>()
  policy(before, after, '', (line) => lines.add(plainLine(line)))
  return [...lines]
}

export function isUnchanged(before: unknown, after: unknown): boolean {
  return same(before, after)
}

/** Names of routes and messages are the application's; a terminal gets no more than text of them. */
function plainLine(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
