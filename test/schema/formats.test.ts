import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileSchema } from '../../src/inbound/schema.ts'
import { formatKinds } from '../../src/schema/formats.ts'

function accepts(format: string, value: unknown): boolean {
  const type = typeof value === 'number' ? 'number' : 'string'
  const schema = { type: 'object', properties: { v: { type, format } }, required: ['v'] }
  return compileSchema(schema, [], 'schema').refuse({ v: value }) === undefined
}

describe('formats', () => {
  const good: Record<string, readonly unknown[]> = {
    date: ['2024-02-29'],
    time: ['23:59:60Z', '12:00:00+01:00'],
    'date-time': ['2024-02-29T12:00:00.123Z'],
    duration: ['P1DT2H'],
    email: ['a.b+c@example.org'],
    hostname: ['example.org'],
    ipv4: ['192.0.2.1'],
    ipv6: ['2001:db8::1', '::ffff:192.0.2.1'],
    uri: ['https://example.org/a?b#c'],
    url: ['https://example.org/a'],
    iri: ['https://example.org/\u00e9'],
    'iri-reference': ['/\u00e9?b#c'],
    'uri-reference': ['/a?b#c'],
    uuid: ['123e4567-e89b-12d3-a456-426614174000'],
    'json-pointer': ['/a~1b/0'],
    'relative-json-pointer': ['1/a'],
    byte: ['', 'YQ==', 'YWI=', 'YWJj'],
    int32: [2147483647, -2147483648],
    int64: [9007199254740991],
    float: [1.5],
    double: [1.5],
  }
  const bad: Record<string, readonly unknown[]> = {
    date: ['2023-02-29', '2024-02-29\n'],
    time: ['24:00:00Z', '12:00:00'],
    'date-time': ['2024-02-29', '2024-02-30T12:00:00Z'],
    duration: ['P', '1D'],
    email: ['a@b', '@example.org', 'example.org', 'a@', 'a@b.', 'a@b.org.', 'a b@example.org', 'a@example.org\n'],
    hostname: ['-a.example', 'a..b', 'a_b'],
    ipv4: ['192.0.2.256', '192.0.2', '0192.0.2.1'],
    ipv6: ['::1::', '2001:db8', '12345::'],
    uri: [
      '/a',
      'https://exa mple.org',
      'https://256.256.256.256',
      'https://example.org:99999',
      '',
      'https://a@b@example.org',
      'https://a[b@example.org',
    ],
    url: ['/a', 'https://exa mple.org'],
    iri: ['/\u00e9', 'https://exa mple.org', 'https://[\u00e9'],
    'iri-reference': ['\\\\host', 'a b'],
    'uri-reference': ['\\\\host', 'a b', 'a[b]', 'a#b#c', '%4', '//[::1', '//[x]', '//a@b@c', '//host:8o'],
    uuid: ['123e4567-e89b-12d3-a456-42661417400', '{123e4567-e89b-12d3-a456-426614174000}'],
    'json-pointer': ['a', '/~2'],
    'relative-json-pointer': ['/a', '-1'],
    // ajv-formats takes the second: its expression looks at one line at a time, and the last one is empty.
    byte: ['YQ=', '<script>\n', 'YQ==\n<b>', 'YW Jj'],
    int32: [2147483648, 0.5],
    int64: [9007199254740992, 0.5],
  }
  it('are these, and no others', () => {
    assert.deepEqual([...formatKinds.keys()].sort(), Object.keys(good).sort())
    assert.deepEqual(
      Object.keys(bad).sort(),
      Object.keys(good)
        .filter((name) => !['float', 'double'].includes(name))
        .sort(),
    )
  })

  for (const name of formatKinds.keys()) {
    it(`${name} tells good from bad`, () => {
      assert.ok((good[name] ?? []).length > 0)
      for (const value of good[name] ?? []) assert.ok(accepts(name, value), `${name} ${value}`)
      for (const value of bad[name] ?? []) assert.ok(!accepts(name, value), `${name} ${value}`)
    })
  }

  it('MS-09 looks at no text that is longer than its format can be', () => {
    const uri = (length: number) => `https://example.org/${'a'.repeat(length - 20)}`
    assert.ok(accepts('uri', uri(8192)))
    assert.ok(!accepts('uri', uri(8193)))
    assert.ok(accepts('date-time', `2024-02-29T12:00:00.${'1'.repeat(40)}Z`))
    assert.ok(!accepts('date-time', `2024-02-29T12:00:00.${'1'.repeat(60)}Z`))
    assert.ok(!accepts('email', `${'a'.repeat(320)}@example.org`))
    assert.ok(!accepts('duration', `P${'1'.repeat(128)}D`))
  })

  // ASVS 1.3.12, by growth: times say nothing on a shared machine. The texts are those that their expressions are slowest with.
  it('MS-09 takes time in proportion to the text', () => {
    const heads = ['', 'a@', 'http://', 'http://[', 'P', '/', 'a.', '::']
    const pieces = ['a', 'a.', 'a-', 'a@', '0:', '1.', '%41', '/a', ':', '=', '~0', '1D', '\u00e9']
    for (const name of formatKinds.keys()) {
      if (typeof good[name]?.[0] !== 'string') continue
      const schema = compileSchema(
        { type: 'object', properties: { v: { type: 'string', format: name } } },
        [],
        'schema',
      )
      const time = (size: number) => {
        const texts = heads.flatMap((head) => pieces.map((piece) => `${head}${piece.repeat(size / piece.length)}!`))
        const start = process.cpuUsage().user
        for (const v of texts) schema.refuse({ v })
        return process.cpuUsage().user - start
      }
      time(1000)
      const [small, large] = [time(8_000), time(64_000)]
      assert.ok(large <= 30 * small + 20_000, `${name}: ${small} and ${large} microseconds`)
    }
  })

  it('refuses a format it would not check, when the route is declared', () => {
    for (const format of ['regex', 'password', 'binary', 'uri-template', 'iso-date-time', 'credit-card']) {
      assert.throws(() => accepts(format, 'x'), { code: 'SWS_BAD_OPTION', message: new RegExp(format) })
    }
  })
})
