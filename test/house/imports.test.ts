import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filesBelow, importsOf, resolveImport, textOf } from './source-files.ts'

/**
 * What each part of the house may know, from the ground up. A part may import itself and everything on a lower storey;
 * parts of one storey know nothing of each other, so that a check of the handshake can be read without the encoder.
 */
const storeys: readonly (readonly string[])[] = [
  ['errors', 'session/session'],
  ['option-checks', 'loading', 'thenable', 'json-text', 'row'],
  ['http', 'telemetry', 'session'],
  // Runs elsewhere: of the server it takes types alone, and nobody takes anything of it but the meaning of close codes.
  ['client'],
  ['schema'],
  ['admission', 'authentication', 'inbound', 'outbound', 'relay'],
  ['capacity', 'redis', 'contract'],
  ['rooms', 'sanitizing'],
  ['revocation'],
  ['connection'],
  ['capacity/identity-capacity', 'remote', 'ws'],
  ['options/limits'],
  ['options'],
  ['options/route'],
  ['options/guard', 'options/loosened', 'lock'],
  ['admission/way'],
  ['admission/admission', 'admission/refused'],
  ['admission/why', 'admission/early-refusal'],
  ['admission/hook'],
  ['decorator', 'routes'],
  ['test-door'],
  ['plugin', 'fastify'],
  ['augmentation', 'socket-route'],
  ['public'],
  ['index'],
  ['testing'],
  ['command'],
]

function storeyOf(path: string): { part: string; height: number } {
  const inside = path.replace(/^src\//, '').replace(/\.ts$/, '')
  const folder = inside.includes('/') ? inside.slice(0, inside.indexOf('/')) : inside
  for (const part of [inside, folder]) {
    const height = storeys.findIndex((storey) => storey.includes(part))
    if (height !== -1) return { part, height }
  }
  return { part: inside, height: -1 }
}

/** Who may hold values of ws, of @fastify/websocket and of Fastify: all others can be read and tested without a server. */
const mayHoldServers = /^src\/(?:ws\/|testing\/)/

function breaksOf(files: ReadonlyMap<string, string>): string[] {
  const breaks: string[] = []
  for (const [path, text] of files) {
    const from = storeyOf(path)
    if (from.height === -1) {
      breaks.push(`${path} has no place in the house`)
      continue
    }
    for (const { specifier, typeOnly } of importsOf(text)) {
      if (!specifier.startsWith('.')) {
        if (/^(?:fastify|ws|@fastify\/websocket)$/.test(specifier) && !typeOnly && !mayHoldServers.test(path)) {
          breaks.push(`${path} imports values of ${specifier}`)
        }
        continue
      }
      const target = resolveImport(path, specifier)
      if (!files.has(target)) {
        breaks.push(`${path} imports ${target}, which is not there`)
        continue
      }
      const to = storeyOf(target)
      if (to.part !== from.part && to.height >= from.height) breaks.push(`${path} imports ${target}: not downward`)
    }
  }
  return breaks
}

function cyclesOf(files: ReadonlyMap<string, string>): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  function visit(path: string, trail: readonly string[]): void {
    const start = trail.indexOf(path)
    if (start !== -1) {
      cycles.push([...trail.slice(start), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const { specifier } of importsOf(files.get(path) ?? '')) {
      // Types as well: a circle of them loads, and none of its files can be understood first.
      if (specifier.startsWith('.')) visit(resolveImport(path, specifier), [...trail, path])
    }
    done.add(path)
  }
  for (const path of files.keys()) visit(path, [])
  return cycles
}

const source = new Map(filesBelow('src').map((path) => [path, textOf(path)]))

test('imports go one way through the house', () => {
  assert.deepEqual(breaksOf(source), [])
})

/** Imports of the client that would bring the server into a page, or the page into the server. */
function crossings(files: ReadonlyMap<string, string>): string[] {
  const isClient = (path: string) => path.startsWith('src/client/')
  // A table of words and nothing else: what a close code means for a client is said to those in other languages as well.
  const meanings = 'src/client/after-close.ts'
  // A client, too: it speaks of messages by the same types, and answers as the other one does.
  const isKit = (path: string) => path.startsWith('src/testing/')
  const answers = 'src/client/answers.ts'
  return [...files].flatMap(([path, text]) =>
    importsOf(text)
      .filter(({ specifier, typeOnly }) => {
        const inside = specifier.startsWith('.') && isClient(resolveImport(path, specifier))
        if (inside && !isClient(path) && resolveImport(path, specifier) === meanings) return false
        if (isKit(path) && inside && resolveImport(path, specifier) === answers) return false
        return isClient(path) ? !inside && !typeOnly : inside && !(isKit(path) && typeOnly)
      })
      .map(({ specifier }) => `${path} imports ${specifier}`),
  )
}

test('the client has nothing of the server but types, and the server has nothing of the client but a table of words', () => {
  assert.deepEqual(crossings(source), [])
  const files = new Map([
    ['src/client/client.ts', "import { CloseCode } from '../errors.ts'\nimport type { A } from '../http/a.ts'"],
    ['src/plugin.ts', "import type { Client } from './client/client.ts'"],
    ['src/contract/protocol.ts', "import { afterClose } from '../client/after-close.ts'"],
    ['src/client/pause.ts', "import { lost } from './after-close.ts'"],
    ['src/client/wake.ts', "import 'ws'"],
    ['src/testing/client.ts', "import type { Messages } from '../client/messages.ts'"],
    ['src/testing/inbox.ts', "import { readMessage } from '../client/incoming.ts'"],
    ['src/testing/nodes.ts', "import { Answers } from '../client/answers.ts'"],
    ['src/node.ts', "import { Answers } from './client/answers.ts'"],
  ])
  assert.deepEqual(crossings(files), [
    'src/client/client.ts imports ../errors.ts',
    'src/plugin.ts imports ./client/client.ts',
    'src/client/wake.ts imports ws',
    'src/testing/inbox.ts imports ../client/incoming.ts',
    'src/node.ts imports ./client/answers.ts',
  ])
})

test('no file needs itself through others, to load or to be understood', () => {
  assert.deepEqual(cyclesOf(source), [])
})

/** What ws and Node call private, read as a member or declared as one. */
const privateOfWs =
  /(?:\.|readonly |['"])_(?:receiver|sender|socket|state|queue|fragmented|bufferedBytes|firstFragment|httpMessage)\b/

test('what ws calls private is read in ws/ alone, and declared in one file', () => {
  const readers = [...source].filter(([, text]) => privateOfWs.test(text)).map(([path]) => path)
  assert.deepEqual(
    readers.filter((path) => !path.startsWith('src/ws/')),
    [],
  )
  const declaring = [...source].filter(([, text]) => /readonly _\w+:/.test(text)).map(([path]) => path)
  assert.deepEqual(declaring, ['src/ws/internals.ts'])
})

test('an import up, across or of a server is seen', () => {
  const errors = ['src/errors.ts', ''] as const
  const up = new Map([
    errors,
    ['src/admission/origin.ts', "import { x } from '../rooms/rooms.ts'"],
    ['src/rooms/rooms.ts', ''],
  ])
  assert.deepEqual(breaksOf(up), ['src/admission/origin.ts imports src/rooms/rooms.ts: not downward'])

  const across = new Map([
    ['src/outbound/html.ts', "import type {\n  Verdict,\n} from '../inbound/verdict.ts'"],
    ['src/inbound/verdict.ts', ''],
  ])
  assert.deepEqual(breaksOf(across), ['src/outbound/html.ts imports src/inbound/verdict.ts: not downward'])

  const server = new Map([['src/rooms/rooms.ts', "import { WebSocket } from 'ws'"]])
  assert.deepEqual(breaksOf(server), ['src/rooms/rooms.ts imports values of ws'])

  const unplaced = new Map([['src/elsewhere.ts', '']])
  assert.deepEqual(breaksOf(unplaced), ['src/elsewhere.ts has no place in the house'])
})

test('near misses pass: types of a server, an import down, an example in a comment', () => {
  const files = new Map([
    ['src/errors.ts', ''],
    [
      'src/rooms/rooms.ts',
      "import type { WebSocket } from 'ws'\nimport { e } from '../errors.ts'\n/**\n * import { x } from '../plugin.ts'\n */",
    ],
  ])
  assert.deepEqual(breaksOf(files), [])
})

test('a circle of three is seen, and one of types; two ways to one file are none', () => {
  const file = (name: string, next: string, word = 'import') =>
    [`src/relay/${name}.ts`, `${word} { x } from './${next}.ts'`] as const
  assert.equal(cyclesOf(new Map([file('a', 'b'), file('b', 'c'), file('c', 'a')])).length, 1)
  assert.equal(cyclesOf(new Map([file('a', 'b'), file('b', 'a', 'import type')])).length, 1)
  assert.deepEqual(cyclesOf(new Map([file('a', 'c'), file('b', 'c', 'import type'), ['src/relay/c.ts', '']])), [])
})
