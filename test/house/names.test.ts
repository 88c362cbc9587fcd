import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { CloseCode } from '../../src/errors.ts'
import { defaultLimits } from '../../src/options/limits.ts'
import { apiPage, publicSurface, type Surface } from './api.ts'
import { filesBelow, pages, textOf } from './source-files.ts'

// Pages and code, held against each other in both directions. Forwards: what somebody can write, read or be told is on a page
// that a person wrote. Backwards: what a page names is there.

const surface = publicSurface()
const code = filesBelow('src').map(textOf).join('\n')
/** What is older than the code, or about other packages, and what is written out of the code. */
const written = pages
  .filter((page) => !['CHANGELOG.md', apiPage].includes(page))
  .map((page) => [page, textOf(page)] as const)
const together = written.map(([, text]) => text).join('\n')

function membersOf(name: string, { exported, routes }: Surface = surface): string[] {
  const declaration = [...exported, ...routes].find((each) => each.name === name)
  assert.ok(declaration, name)
  return declaration.members.map((member) => member.name)
}

function literalsOf(name: string): string[] {
  const signature = surface.exported.find((each) => each.name === name)?.signature ?? ''
  return [...signature.matchAll(/'([\w.-]+)'/g)].map(([, literal = '']) => literal)
}

const codes = new Set([...code.matchAll(/'(SWS_[A-Z_]+)'|^ {2}(SWS_[A-Z_]+):/gm)].map((match) => match[1] ?? match[2]))
const ofSecureWs = membersOf('SecureWsInstance')
const events = literalsOf('AuditType')

test('each value that can be imported, each method of app.secureWs and each member of the socket is on a page that a person wrote', () => {
  const values = surface.exported.filter(({ kind }) => kind !== 'interface' && kind !== 'type').map(({ name }) => name)
  const testing = surface.testing.filter(({ kind }) => kind === 'function').map(({ name }) => name)
  const client = surface.client.filter(({ kind }) => kind === 'function' || kind === 'class').map(({ name }) => name)
  // What ws has, too, does here what its line on the generated page says.
  const own = surface.socket.map(({ name }) => name).filter((name) => name === 'send' || !ofWs(name))
  assert.ok(values.length > 15 && ofSecureWs.length > 10 && own.length > 5)
  const isNamed = (name: string) => new RegExp(`\\b${name}\\b`).test(together)
  assert.deepEqual(
    [...values, ...testing, ...client, ...ofSecureWs, ...own].filter((name) => !isNamed(name)),
    [],
  )
  assert.deepEqual(
    ofSecureWs.filter((name) => !together.includes(`secureWs.${name}`)),
    [],
    'not as app.secureWs.<name>',
  )
})

test('each code and each event of the code is on a page that a person wrote', () => {
  assert.ok(codes.size > 30 && events.length > 10)
  assert.deepEqual(
    [...codes, ...events].filter((name) => !together.includes(`\`${name}\``)),
    [],
  )
})

/** Where a page may name something, and what there is. */
interface Rule {
  readonly what: string
  readonly pattern: RegExp
  readonly known: (name: string) => boolean
}

const ofWs = (name: string) => name in WebSocket.prototype || name in EventEmitter.prototype
const inSession = [...membersOf('SessionOptions'), ...membersOf('SessionMembers')]
const closeCodes: readonly number[] = [1000, 1005, 1006, ...Object.values(CloseCode)]
const listed = (names: readonly string[]) => (name: string) => names.includes(name)

const rules: readonly Rule[] = [
  { what: 'code', pattern: /\b(SWS_[A-Z_]*[A-Z])\b/g, known: (name) => codes.has(name) },
  { what: 'app.secureWs', pattern: /\bapp\.secureWs\.(\w+)/g, known: listed(ofSecureWs) },
  {
    what: 'socket',
    pattern: /`socket\.([a-z]\w*)/g,
    known: (name) =>
      surface.socket.some((member) => member.name === name) || ofWs(name) || events.includes(`socket.${name}`),
  },
  { what: 'limits', pattern: /\blimits\.(\w+)/g, known: listed(Object.keys(defaultLimits)) },
  {
    what: 'session',
    pattern: /(?<![\w.])session\.([a-z][\w-]*)/g,
    known: (name) => inSession.includes(name) || events.includes(`session.${name}`),
  },
  {
    what: 'event',
    pattern: /`((?:handshake|message|output|room|ticket|relay|options)\.[a-z][a-z-]+)`/g,
    known: listed(events),
  },
  {
    what: 'close code',
    pattern: /\b(?:closed? (?:code|with)|closes (?:it )?with|closes? the socket with) `?(\d{4})\b/g,
    known: (name) => closeCodes.includes(Number(name)),
  },
]

/** Names in inline code that belong to others: helmet and socket.io, Kubernetes, browsers, Fastify, Node, zod, Svelte. */
const ofOthers = [
  'onDestroy',
  'allowRequest',
  'disconnectSockets',
  'fetchSockets',
  'terminationGracePeriodSeconds',
  'preStop',
  'setHTML',
  'dangerouslySetInnerHTML',
  'looseObject',
  'httpUrl',
  'preValidation',
  'connectionsCheckingInterval',
  'forwardedHeaders',
  'includeSubDomains',
]
const samples = ['examples', 'docs/examples']
  .flatMap((folder) => filesBelow(folder, ['.ts', '.mjs', '.js']))
  .map(textOf)
  .join('\n')
const wordsOf = (text: string) => new Set(text.match(/\b[a-z]+[A-Z]\w*\b/g))

/** Names such as `revalidateEvery` in inline code that nothing here has: an option that went, or one that never was. */
function unknownIn(texts: readonly (readonly [string, string])[]): string[] {
  const known = new Set([...wordsOf(code), ...wordsOf(samples), ...ofOthers])
  return texts.flatMap(([page, text]) =>
    [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].flatMap(([, span = '']) =>
      [...wordsOf(span)].filter((word) => !known.has(word)).map((word) => `${page}: ${word}`),
    ),
  )
}

test('each name in inline code is one of the code, of an example, or of a package that is about something else', () => {
  assert.deepEqual(unknownIn(written), [])
  assert.deepEqual(unknownIn([['page.md', 'Set `limits: { handshakesPerHour: 1 }` or `revalidateEvery`.']]), [
    'page.md: handshakesPerHour',
  ])
  const all = wordsOf(together)
  assert.deepEqual(
    ofOthers.filter((word) => !all.has(word)),
    [],
    'no page names them any more',
  )
})

/** Files of the repository, and words of the examples' own, that look like a name of ours. */
const ofExamples = /\b(?:socket|session|limits)\.(?:ts|md|test)\b/

function strangersIn(texts: readonly (readonly [string, string])[]): string[] {
  return texts.flatMap(([page, text]) =>
    rules.flatMap(({ what, pattern, known }) =>
      [...text.matchAll(pattern)]
        .filter(([whole, name = '']) => !known(name) && !ofExamples.test(whole))
        .map(([, name]) => `${page}: ${what} ${name}`),
    ),
  )
}

test('what a page names is there: codes, close codes, events, limits, members', () => {
  // What stands in a block of code is compiled, or run.
  assert.deepEqual(strangersIn(written.map(([page, text]) => [page, text.replace(/^```[\s\S]*?^```$/gm, '')])), [])
})

test('a name that is not there is seen; a near miss is none', () => {
  const page = (text: string) => strangersIn([['page.md', text]]).map((line) => line.replace('page.md: ', ''))
  assert.deepEqual(page('`SWS_UNSUPPORTED_VERSION`'), ['code SWS_UNSUPPORTED_VERSION'])
  assert.deepEqual(page('call app.secureWs.broadcast() or `socket.broadcast()`'), [
    'app.secureWs broadcast',
    'socket broadcast',
  ])
  assert.deepEqual(page('`limits.connectionsPerHost`, `session.revalidate`, `room.entered`'), [
    'limits connectionsPerHost',
    'session revalidate',
    'event room.entered',
  ])
  assert.deepEqual(page('It is closed with 4001.'), ['close code 4001'])
  assert.deepEqual(
    page('`SWS_FORBIDDEN`, `socket.readyState`, `socket.closed`, `session.userId`, closed with 1008'),
    [],
  )
})
