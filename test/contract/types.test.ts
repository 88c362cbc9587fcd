import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import ts from 'typescript-5.9'
import { contractTypes } from '../../src/command/contract-types.ts'
import { Random } from '../harness/random.ts'
import { root } from '../house/source-files.ts'

/** A contract with one received message, as somebody might write it who means harm. */
function hostile(words: { key: string; name: string; value: string; said: string }): object {
  const { key, name, value, said } = words
  const step = encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))
  const own = (entries: [string, unknown][]) => Object.fromEntries(entries)
  const payload = {
    type: 'object',
    properties: own([
      ['type', { const: value }],
      [name, { type: 'string', description: said }],
      [`${name}2`, { enum: [value, own([[name, value]])] }],
      [`${name}3`, { $ref: `#/components/schemas/${step}` }],
    ]),
    description: said,
    additionalProperties: false,
  }
  return {
    asyncapi: '3.0.0',
    channels: own([[key, { address: said }]]),
    operations: {
      one: {
        action: 'receive',
        channel: { $ref: `#/channels/${step}` },
        messages: [{ $ref: '#/components/messages/one' }],
      },
    },
    components: { messages: { one: { name, payload } }, schemas: own([[key, { const: value }]]) },
  }
}

/** The names of members and the literals in a file that declares types and does nothing. */
function declaredIn(code: string): { readonly names: Set<string>; readonly literals: Set<string> } {
  const file = ts.createSourceFile('messages.ts', code, ts.ScriptTarget.Latest, true)
  assert.deepEqual(Reflect.get(file, 'parseDiagnostics').map(Object), [], code)
  const [names, literals] = [new Set<string>(), new Set<string>()]
  for (const statement of file.statements) assert.ok(ts.isTypeAliasDeclaration(statement), statement.getText())
  const look = (node: ts.Node): void => {
    if (ts.isPropertySignature(node) && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name)))
      names.add(node.name.text)
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) literals.add(node.literal.text)
    ts.forEachChild(node, look)
  }
  look(file)
  return { names, literals }
}

const attacks = [
  '*/ process.exit(1) /*',
  "'; process.exit(1) //",
  '"; process.exit(1) //',
  '`$\x7bprocess.exit(1)}`',
  '}; process.exit(1); type A = {',
  '\\',
  '\\"',
  'a\nb',
  'a\r\nb',
  'a\u2028process.exit(1)',
  'a\u202e\u2066b',
  '*\u002f',
  '__proto__',
  'constructor',
  '<script>',
  '@ts-ignore',
  '/// <reference path="/etc/passwd" />',
  '\ud800',
  '\u0000',
  '',
  'x'.repeat(5_000),
]

test('nothing that a document says becomes code: it stays a name, a literal or a comment', () => {
  for (const attack of attacks) {
    const code = contractTypes(
      JSON.stringify(hostile({ key: attack.toWellFormed(), name: attack, value: attack, said: attack })),
    )
    assert.match(code, /^[\n\x20-\x7e]*$/)
    const { names, literals } = declaredIn(code)
    if (attack !== 'type') assert.ok(names.has(attack), JSON.stringify(attack))
    assert.ok(literals.has(attack), JSON.stringify(attack))
  }
})

test('so it is with 500 texts at random, of what code and comments end with', () => {
  const random = new Random(23)
  const pieces = [
    '*/',
    '/*',
    '//',
    '\\',
    '"',
    "'",
    '`',
    '${',
    '}',
    '{',
    '\n',
    '\r',
    '\u2028',
    ';',
    '~',
    '~1',
    '%',
    '#',
    'a',
    '\u{1f600}',
  ]
  const word = () => Array.from({ length: 1 + random.below(6) }, () => random.pick(pieces)).join('')
  for (let count = 0; count < 500; count++) {
    const words = { key: word(), name: word(), value: word(), said: word() }
    const code = contractTypes(JSON.stringify(hostile(words)))
    const { names, literals } = declaredIn(code)
    assert.ok(literals.has(words.value) || words.value === 'error', JSON.stringify(words))
    assert.ok(names.has(words.name), JSON.stringify(words))
  }
})

test('two channels, or two schemas, never get one name, and none gets a name of TypeScript', () => {
  const channels = {
    'a.b': { address: '/1' },
    'a-b': { address: '/2' },
    readonly: {},
    Record: {},
    '1': {},
    '': {},
    aB: {},
  }
  const code = contractTypes(JSON.stringify({ asyncapi: '3.0.0', channels, operations: {} }))
  const found = [...code.matchAll(/^export type (\w+) = /gm)].map(([, name]) => name)
  // An integer goes first among the members of an object.
  assert.deepEqual(found, ['Root1', 'AB', 'AB2', 'Readonly2', 'Record2', 'Root', 'AB3'])
})

test('an operation belongs to the channel that its reference leads to, however that is written', () => {
  const message = { payload: { type: 'object', properties: { type: { const: 'said' } } } }
  const written = (channel: unknown, channels: object, components = {}) => {
    const operations = { one: { action: 'receive', channel, messages: [message] } }
    return contractTypes(JSON.stringify({ asyncapi: '3.0.0', channels, operations, components }))
  }
  const to = ($ref: string) => ({ $ref })
  for (const [reference, channels] of [
    ['#/channels/gr%C3%B6%C3%9Fe', { gr\u00f6\u00dfe: {} }],
    ['#/channels/gr\u00f6\u00dfe', { gr\u00f6\u00dfe: {} }],
    ['#/channels/%61', { a: {} }],
    ['#/channels/a~1b', { 'a/b': {} }],
    ['#/channels/a%7E1b', { 'a/b': {} }],
    ['#/components/channels/a', { a: to('#/components/channels/a') }],
    ['#/channels/a', { a: to('#/components/channels/a') }],
  ] as const) {
    assert.match(written(to(reference), channels, { channels: { a: {} } }), /"said"/, reference)
  }
  // Its near miss: another channel that looks the same.
  assert.doesNotMatch(
    written(to('#/channels/b'), { a: {}, b: to('#/components/channels/b') }, { channels: { b: {} } }).split(
      'B = ',
    )[0] ?? '',
    /"said"/,
  )
  for (const nowhere of ['#/channels/b', '#/channels/%']) {
    assert.throws(() => written(to(nowhere), { a: {} }), /points at nothing/)
  }
})

test('a schema is named by its name, and not by how a reference writes it', () => {
  const properties = { type: { const: 'said' }, value: { $ref: '#/components/schemas/a~1b%20c' } }
  const code = contractTypes(
    JSON.stringify({
      asyncapi: '3.0.0',
      channels: { chat: {} },
      operations: {
        one: { action: 'receive', channel: { $ref: '#/channels/chat' }, messages: [{ payload: { properties } }] },
      },
      components: { schemas: { 'a/b c': { const: 'x' } } },
    }),
  )
  assert.match(code, /^export type ABC = "x"$/m)
})

test('a document that does not hang together is refused, whatever holds it together instead', () => {
  const circle = { asyncapi: '3.0.0', channels: { a: { $ref: '#/channels/a' } } }
  const away = { asyncapi: '3.0.0', channels: { a: { $ref: 'http://evil.example/' } } }
  const inherited = { asyncapi: '3.0.0', channels: { a: { $ref: '#/channels/toString' } } }
  const deep = `${'{"items":'.repeat(10_000)}{}${'}'.repeat(10_000)}`
  const payload = `{"type":"object","properties":{"type":{"const":"a"},"x":{"type":"array","items":${deep}}}}`
  const nested = `{"asyncapi":"3.0.0","channels":{"a":{}},"operations":{"o":{"action":"receive","channel":{"$ref":"#/channels/a"},"messages":[{"payload":${payload}}]}}}`
  const texts = [
    '',
    '[]',
    'null',
    '{"asyncapi":"2.6.0"}',
    '{"openapi":"3.1.0"}',
    nested.replaceAll('"items"', '"not"').slice(0, -1),
  ]
  for (const document of [...texts, ...[circle, away, inherited].map((each) => JSON.stringify(each))]) {
    assert.throws(() => contractTypes(document), Error, document.slice(0, 80))
  }
  assert.throws(() => contractTypes(nested.replaceAll('{"items":', '{"type":"array","items":')), /deeper/)
})

/** Runs the command as npx does. */
async function run(args: readonly string[], stdin = ''): Promise<{ code: unknown; out: string; said: string }> {
  const child = spawn(process.execPath, ['src/command/command.ts', 'types', ...args], { cwd: root })
  child.stdin.end(stdin)
  const [[code], out, said] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code, out, said }
}

test('the command reads a URL or stdin, and answers 2 for what it cannot read', async (t) => {
  const document = JSON.stringify({ asyncapi: '3.0.0', channels: { chat: { address: '/chat' } }, operations: {} })
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/asyncapi.json' ? 200 : 401
    response.end(document)
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const [byUrl, byStdin, refused, none] = await Promise.all([
    run([`http://127.0.0.1:${port}/asyncapi.json`]),
    run(['-'], document),
    run([`http://127.0.0.1:${port}/secret`]),
    run(['/nowhere/asyncapi.json']),
  ])
  assert.match(byUrl.out, /^export type Chat = \{$/m)
  assert.deepEqual([byUrl.code, byStdin.code, refused.code, none.code], [0, 0, 2, 2])
  assert.equal(byStdin.out, byUrl.out)
  assert.match(refused.said, /answered 401/)
  assert.match(none.said, /ENOENT[\s\S]*npx fastify-secure-ws types/)
})
