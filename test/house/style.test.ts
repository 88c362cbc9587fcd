import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { basename } from 'node:path'
import { test } from 'node:test'
import { filesBelow, root, textOf } from './source-files.ts'

const code = ['.ts', '.js', '.mjs', '.cjs', '.html', '.css']
const source = filesBelow('src')
const everything = ['src', 'test', 'bench', 'build', 'demo', 'examples'].flatMap((folder) => filesBelow(folder, code))

/** Lines of the given files that match, as `path:line text`. */
function linesMatching(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    textOf(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
  )
}

// A homoglyph or a bidi control in a source file reads as one thing and runs as another (CVE-2021-42574).
test('source files are ASCII', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant, TAB and newline included.
  assert.deepEqual(linesMatching(everything, /[^\x00-\x7f]/), [])
})

// A link leads out of the checkout, to whatever stands there on the machine of the reader.
test('no tracked file is a symbolic link', () => {
  const tracked = execFileSync('git', ['ls-files', '--stage'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
  assert.ok(tracked.length > 500)
  assert.deepEqual(
    tracked.filter((line) => line.startsWith('120000 ')),
    [],
  )
})

test('files and folders are named after what they are about', () => {
  // As one word of a name these still say nothing; as the whole name so do a few more (`shared-frame` says enough).
  const emptyWord = /^(?:utils?|helpers?|misc|managers?|services?|data|info|process)$/
  const emptyName = /^(?:common|shared|lib|core|types)$/
  const names = new Set(source.flatMap((path) => path.split('/').map((part) => basename(part, '.ts'))))
  const isEmpty = (name: string) => emptyName.test(name) || name.split(/[-.]/).some((word) => emptyWord.test(word))
  assert.deepEqual([...names].filter(isEmpty), [])
})

test('exported names say more than manager, service or helper', () => {
  const pattern =
    /^export (?:async )?(?:const|function|class|interface|type) \w*(?:[Mm]anager|[Ss]ervice|[Uu]til|[Hh]elper|[Cc]ommon|[Ii]nfo(?![a-z])|[Pp]rocess(?![a-z])|^data|Data(?![a-z]))\w*/
  assert.deepEqual(
    linesMatching(source, pattern).filter((line) => !line.includes('ServiceRestart')),
    [],
  )
})

test('no file in src is longer than 400 lines', () => {
  assert.deepEqual(
    source.filter((path) => textOf(path).split('\n').length > 400),
    [],
  )
})

test('nothing in src escapes the type checker', () => {
  const escapes = /\bas any\b|: any(?=\s*(?:[,;)\]}=|&{]|$))|<any>|\bas unknown as\b/
  const inComment = /:\d+ (?:\/?\*|\/\/)/
  assert.deepEqual(
    linesMatching(source, escapes).filter((line) => !inComment.test(line)),
    [],
  )
  assert.deepEqual(linesMatching(source, /@ts-(?:ignore|expect-error|nocheck)/), [])
})

// Code made out of text is what an injected string waits for (OWASP WebSocket Security Cheat Sheet: no eval).
test('CS-17 nothing in src makes code out of text', () => {
  assert.deepEqual(linesMatching(source, /\beval\(|\bnew Function\(|\bvm\.run|set(?:Timeout|Interval)\(\s*['"`]/), [])
})

test('no test is skipped, unfinished or alone', () => {
  const words = 'skip|todo|only'
  const called = new RegExp(`\\b(?:test|it|describe|suite|t|context)\\.(?:${words})\\(`)
  const option = new RegExp(`\\{[^}]*\\b(?:${words}):\\s*(?!false)\\S`)
  assert.deepEqual(linesMatching(filesBelow('test'), called), [])
  assert.deepEqual(linesMatching(filesBelow('test'), option), [])
})

// C5: a duration on a clock that can be set closes everybody, or nobody, when it is.
test('the date is read only where something has one', () => {
  const dated = new Set([
    'src/authentication/authentication.ts', // expiresAt
    'src/authentication/bearer.ts', // exp, nbf
    'src/authentication/client-certificate.ts', // valid_to
    'src/authentication/cookie-session.ts', // validUntil
    'src/authentication/ticket-store.ts',
    'src/authentication/ticket.ts', // expiresAt
    'src/client/wake.ts', // sleep, in which the other clocks may stand still
    'src/remote/emitter.ts', // of envelopes and revocations
    'src/plugin.ts', // handed to whoever asks for dates: named `now`, the other clock `uptime`
    'src/relay/memory-denials.ts', // at, until
    'src/redis/options.ts', // validUntil
    'src/relay/relay.ts', // of envelopes
    'src/rooms/room-tokens.ts', // exp
    'src/session/until.ts', // in an advice
    'src/telemetry/audit.ts', // at
    'src/testing/attacks/handshake-attacks.ts', // expiresAt
    'src/testing/attacks/right-message.ts', // at
    'src/testing/attacks/session-attacks.ts', // expiresAt, authenticatedAt
    'src/testing/clock.ts', // which it moves
  ])
  const readers = source.filter((path) => /\bDate\.now\b|\bnew Date\(\)/.test(textOf(path)))
  assert.deepEqual(
    readers.filter((path) => !dated.has(path)),
    [],
  )
})
