/** The name of a hole. */
export type HoleCode = keyof typeof holes

/** The weight of a hole, as SARIF has it. */
export type HoleLevel = 'error' | 'warning' | 'note'

interface Kind {
  readonly level: HoleLevel
  /** CWE. */
  readonly weakness: number
  /** What it means, for whoever reads the list. */
  readonly means: string
  /** The option to write. */
  readonly write: string
}

/** Each kind of hole that the kit knows, with what it means and the option that closes it. */
export const holes = {
  'foreign-origin': {
    level: 'error',
    weakness: 1385,
    means:
      'A page of another origin opens a socket with the credentials of its visitor, and reads and writes as that visitor.',
    write: "`origins: ['https://app.example']`, the pages that may connect",
  },
  'null-origin': {
    level: 'error',
    weakness: 1385,
    means:
      'Any page can send `Origin: null` out of a sandboxed frame, and is let in with the credentials of its visitor.',
    write: 'no `dangerouslyAllowNullOrigin`',
  },
  'no-origin': {
    level: 'warning',
    weakness: 1385,
    means: 'A client that sends no Origin is let in with a credential that browsers attach by themselves.',
    write: 'no `allowMissingOrigin` beside cookies; programs authenticate with `bearer` or `ticket`',
  },
  'wrong-host': {
    level: 'warning',
    weakness: 350,
    means:
      "A name that is not the server's leads to it (DNS rebinding): to the browser, a foreign page is one of this server.",
    write: "`hosts: ['app.example']`, the names of the server",
  },
  'odd-handshake': {
    level: 'warning',
    weakness: 436,
    means:
      'A handshake that servers read in more than one way is let in: a proxy in front may have read it in the other.',
    write: 'the plugin itself, which reads the header lines as they came',
  },
  'plain-text': {
    level: 'warning',
    weakness: 319,
    means: 'Credentials and messages travel in the clear: a client beyond this machine is let in without TLS.',
    write: 'no `allowInsecureTransport`; TLS on the server, or a proxy that `trustProxy` names',
  },
  'no-session': {
    level: 'error',
    weakness: 306,
    means: 'A visitor without any credential is let in, on a route whose roles have one.',
    write: '`authenticate: cookieSession({ secret, load })`, or another authenticator',
  },
  'forged-credential': {
    level: 'error',
    weakness: 347,
    means: 'A credential that somebody has changed is let in: its signature is not looked at.',
    write: '`authenticate: cookieSession({ secret, load })`, which verifies before it looks up',
  },
  'expired-session': {
    level: 'error',
    weakness: 613,
    means: 'A session whose end has come still opens sockets, or keeps one open.',
    write: '`expiresAt` of the session, in milliseconds',
  },
  'two-cookies': {
    level: 'warning',
    weakness: 384,
    means: 'Of two cookies of one name, one is taken: a sibling subdomain can plant a session of its own (fixation).',
    write: '`authenticate: cookieSession({ secret, load })`, which refuses both, under a name with `__Host-`',
  },
  crowd: {
    level: 'warning',
    weakness: 770,
    means: 'One client opens as many sockets as it likes, and takes the places of all others.',
    write: '`limits.connectionsPerSession`, `limits.connectionsPerAddress`',
  },
  'foreign-path': {
    level: 'error',
    weakness: 639,
    means: "A role gets into somebody else's path: its room, its document.",
    write: '`authorize: (session, request) => ...` of the route',
  },
  'foreign-message': {
    level: 'error',
    weakness: 639,
    means: 'A message about something that belongs to somebody else reaches the listener.',
    write: '`receives.<type>.authorize: (session, message, request) => ...`',
  },
  'missing-right': {
    level: 'error',
    weakness: 862,
    means: 'A message reaches the listener from a role that may not send it.',
    write: '`receives.<type>.authorize: (session, message, request) => ...`',
  },
  'stale-session': {
    level: 'error',
    weakness: 613,
    means: 'A socket goes on as a session that was signed out.',
    write: '`app.secureWs.revoke({ sessionId })` where somebody signs out',
  },
  replayed: {
    level: 'warning',
    weakness: 294,
    means: 'The same message counts twice, for somebody who has recorded it.',
    write: '`receives.<type>.replay: { window: 30_000 }`',
  },
  'no-step-up': {
    level: 'error',
    weakness: 308,
    means: 'A message that needs a fresh sign-in is taken from a session that is old.',
    write: '`receives.<type>.freshAuth: 300_000`, and `authenticatedAt` of the session',
  },
  oversize: {
    level: 'warning',
    weakness: 770,
    means: 'One message may be so large that a few of them fill the memory.',
    write: '`limits.messageBytes`',
  },
  flood: {
    level: 'warning',
    weakness: 770,
    means: 'One socket sends as fast as it likes, and the server works for it alone.',
    write: '`limits.messages`, and `receives.<type>.rate` where one message is dear',
  },
  'half-message': {
    level: 'warning',
    weakness: 400,
    means: 'A client that never finishes its message keeps its place and its memory for ever.',
    write: '`limits.partialMessage`, `limits.idle`',
  },
  'deaf-reader': {
    level: 'warning',
    weakness: 770,
    means: 'Bytes that a client does not read are kept in memory without an end.',
    write: '`limits.outboundBytes`, `limits.writeTimeout`',
  },
  crash: {
    level: 'error',
    weakness: 248,
    means: 'One message ends the process, and every connection with it: a listener threw, and nobody caught it.',
    write: '`receives: { <type>: { schema } }`: an error of a listener is an event then, and an answer',
  },
  reset: {
    level: 'error',
    weakness: 248,
    means: 'After clients that reset their connections, the server no longer serves the others.',
    write: 'an `error` listener on each socket, which the plugin has',
  },
  prototype: {
    level: 'warning',
    weakness: 1321,
    means:
      'A message with `__proto__` or `constructor.prototype` reaches the listener: one careless merge gives every object its members.',
    write: '`receives: { <type>: { schema } }`',
  },
  'duplicate-key': {
    level: 'note',
    weakness: 436,
    means: 'A message that says one member twice is taken: a check may have read the other one.',
    write: '`receives: { <type>: { schema } }`',
  },
  'unknown-type': {
    level: 'warning',
    weakness: 20,
    means: 'A message of a type that nobody has declared is answered as if it were known.',
    write: '`receives`, with each type that the route knows',
  },
  'extra-member': {
    level: 'warning',
    weakness: 915,
    means: 'A member that nobody has declared reaches the listener, and perhaps the database (mass assignment).',
    write: '`receives.<type>.schema`, which refuses what it does not name',
  },
  'wrong-type': {
    level: 'warning',
    weakness: 20,
    means: 'A member of another type than declared reaches the listener.',
    write: '`receives.<type>.schema`',
  },
  markup: {
    level: 'error',
    weakness: 79,
    means: 'Markup that a client has sent comes back as markup, and runs in the page of whoever shows it.',
    write: "`encode: 'html'` (or `'json'`), and `contentMediaType: 'text/html'` where markup is meant",
  },
  'slow-pattern': {
    level: 'error',
    weakness: 1333,
    means: 'A pattern takes the whole process on one short text (ReDoS).',
    write: '`receives.<type>.schema`, where such a pattern does not start, or a `maxLength` beside it',
  },
} as const satisfies Readonly<Record<string, Kind>>

/** A hole that was found. */
export interface Hole {
  /** The kind of hole. */
  readonly code: HoleCode
  /** Its weight: `'error'`, `'warning'` or `'note'`. */
  readonly level: HoleLevel
  /** The weakness, as `CWE-1385`. */
  readonly weakness: string
  /** The role that got through. */
  readonly role: string
  /** The message type, or `undefined` for the handshake and for the socket as a whole. */
  readonly message: string | undefined
  /** The attack that got through, in words. */
  readonly attack: string
  /** The meaning. */
  readonly means: string
  /** The option to write. */
  readonly write: string
  /** The reason for which the test accepts it (`accept`), or `undefined`. */
  readonly accepted: string | undefined
}
