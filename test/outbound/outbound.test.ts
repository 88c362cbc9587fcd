import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JSDOM } from 'jsdom'
import { Type } from 'typebox'
import { SecureWsError } from '../../src/errors.ts'
import { viewOf } from '../../src/outbound/bytes.ts'
import { encodeFor } from '../../src/outbound/encode-for.ts'
import { dangerouslyTrustHtml } from '../../src/outbound/encoded.ts'
import {
  escapeJsonText,
  notEncodable,
  refuseLoss,
  refuseLossOf,
  serialize,
  stringify,
} from '../../src/outbound/json.ts'
import { compileOutbound, type EncodeMode, encodeMessage, encodeOutgoing } from '../../src/outbound/outbound.ts'

const encodedAs = (message: object, mode: EncodeMode) => String(encodeMessage(message, mode).payload)

function policyFor(encode: EncodeMode, warnings: string[] = []) {
  return compileOutbound({
    encode,
    sends: undefined,
    path: 'secureWs',
    sanitizeHtml: (dirty) => dirty,
    warn: (text) => warnings.push(text),
  })
}
const html = policyFor('html')

function sent(value: unknown, policy = html, override?: EncodeMode): unknown {
  const outgoing = encodeOutgoing(value, policy, override)
  assert.ok(!(outgoing instanceof Promise))
  assert.equal(outgoing.binary, false)
  return String(outgoing.payload)
}

test('each kind of value has one way out in html mode', () => {
  assert.equal(sent('<b>'), '&lt;b&gt;')
  assert.equal(sent(dangerouslyTrustHtml('<b>')), '<b>')
  assert.equal(sent({ a: '<b>', n: 1 }), '{"a":"&lt;b&gt;","n":1}')
  assert.equal(sent(['<b>']), '["&lt;b&gt;"]')
  assert.equal(sent(1.5), '1.5')
  assert.equal(sent(true), 'true')
  assert.equal(sent(null), 'null')
  assert.equal(sent(''), '')
})

test('each mode, at the route and at one send', () => {
  const text = '<&>"\'\u2028'
  assert.equal(sent(text, policyFor('json')), '\\u003c\\u0026\\u003e"\'\\u2028')
  assert.equal(sent(text, policyFor('none')), text)
  assert.equal(sent([text], policyFor('json')), '["\\u003c\\u0026\\u003e\\"\'\\u2028"]')
  assert.equal(sent([text], policyFor('none')), JSON.stringify([text]))
  assert.equal(sent('<', policyFor('none'), 'html'), '&lt;')
  assert.equal(sent(['<'], html, 'none'), '["<"]')
  assert.equal(sent(['<'], html, 'json'), '["\\u003c"]')
})

// send(message, { encode: userSettings.encode }): a mode that does not exist must not mean "nothing".
test('an unknown mode is an error at registration and at send, never no encoding', () => {
  for (const mode of ['raw', 'HTML', '', null, 0, true]) {
    assert.throws(() => Reflect.apply(policyFor, undefined, [mode]), {
      code: 'SWS_BAD_OPTION',
      message: /`secureWs\.encode` is .*Write 'html' \(default\), 'json' or 'none'\.$/,
    })
    assert.throws(() => Reflect.apply(encodeOutgoing, undefined, ['<', html, mode]), {
      code: 'SWS_BAD_OPTION',
      message: /`send\(value, { encode }\)` is /,
    })
  }
})

test('markup in json mode is escaped and keeps its value; JSON for a script passes once', () => {
  const json = policyFor('json')
  assert.equal(sent({ a: dangerouslyTrustHtml('<b>') }, json), '{"a":"\\u003cb\\u003e"}')
  assert.equal(sent(dangerouslyTrustHtml('<b>'), json), '\\u003cb\\u003e')
  assert.equal(sent(encodeFor.json({ a: '<' }), json), '{"a":"\\u003c"}')
  assert.equal(sent({ a: dangerouslyTrustHtml('<b>') }, policyFor('none')), '{"a":"<b>"}')
})

// A string that is JSON holds its < inside strings, so escaping the text keeps it parseable.
test('OU-01 text that is JSON: encoded as text in html mode, equal after JSON.parse in json mode', () => {
  assert.equal(sent('{"a":"<b>"}'), '{&quot;a&quot;:&quot;&lt;b&gt;&quot;}')
  assert.deepEqual(JSON.parse(String(sent('{"a":"<b>"}', policyFor('json')))), { a: '<b>' })
})

test('OU-01 a string that is JSON is warned of once per route, and only where it is encoded as text', () => {
  const warnings: string[] = []
  const policy = policyFor('html', warnings)
  for (const text of ['{', '{not json}', '1', '"a"', 'null', 'plain', '[x']) sent(text, policy)
  sent('{"a":1}', policy, 'json')
  assert.deepEqual(warnings, [])
  sent(' {"secret":1}', policy)
  sent('[1]', policy)
  assert.equal(warnings.length, 1)
  assert.match(String(warnings[0]), /^secureWs: .*the object, not its JSON/)
  assert.doesNotMatch(String(warnings[0]), /secret/)
})

test('OU-01 near misses of that warning: a text that only holds a brace is none, one after blank lines is', () => {
  const warnings: string[] = []
  const policy = policyFor('html', warnings)
  for (const text of ['"{}"', '"["', 'a {}', '', ' ']) sent(text, policy)
  assert.deepEqual(warnings, [])
  for (const text of ['{}', '[]', ' [1]', '\n\t {"a":1}']) {
    const own: string[] = []
    sent(text, policyFor('html', own))
    assert.equal(own.length, 1, text)
  }
})

test('in production nothing is parsed to find out', () => {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    const warnings: string[] = []
    sent('{"a":1}', policyFor('html', warnings))
    assert.deepEqual(warnings, [])
  } finally {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  }
})

test('OU-03 what JSON has no word for is an error at the caller', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  let deep: unknown = null
  for (let level = 0; level < 100_000; level += 1) deep = [deep]
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const cases: Record<string, unknown> = {
    undefined: undefined,
    function: () => 1,
    'function with toJSON': Object.assign(() => 1, { toJSON: () => '<b>' }),
    symbol: Symbol('s'),
    BigInt: 1n,
    'nested BigInt': { a: [1n] },
    cycle,
    deep,
    'toJSON that returns undefined': { toJSON: () => undefined },
    'throwing toJSON': { toJSON: () => assert.fail() },
    'throwing getter': {
      get a() {
        throw 'x'
      },
    },
    'revoked proxy': revoked.proxy,
    'revoked proxy inside': { a: revoked.proxy },
    'proxy that tells no prototype': new Proxy({ a: 1 }, { getPrototypeOf: () => assert.fail() }),
  }
  for (const mode of ['html', 'json', 'none'] as const) {
    for (const [name, value] of Object.entries(cases)) {
      assert.throws(() => encodeOutgoing(value, html, mode), { code: 'SWS_NOT_ENCODABLE' }, `${name} in ${mode}`)
    }
  }
})

test('OU-07 what would silently become {} is an error at the caller, wherever it stands', () => {
  class Hidden {
    #text = 'x'
    get text() {
      return this.#text
    }
  }
  const lost = [
    new Map([[1, 2]]),
    new Set([1]),
    Promise.resolve(1),
    new Error('secret'),
    /x/,
    new Hidden(),
    new ReadableStream(),
  ]
  for (const value of lost) {
    for (const mode of ['html', 'json', 'none'] as const) {
      assert.throws(() => encodeOutgoing(value, html, mode), { code: 'SWS_NOT_ENCODABLE' })
      assert.throws(() => encodeOutgoing({ a: [value] }, html, mode), { code: 'SWS_NOT_ENCODABLE' })
    }
    assert.throws(() => encodeOutgoing([dangerouslyTrustHtml('<'), value], html), { code: 'SWS_NOT_ENCODABLE' })
  }
  assert.throws(() => encodeOutgoing({ a: new ArrayBuffer(1) }, html), { code: 'SWS_NOT_ENCODABLE' })
  assert.throws(() => encodeOutgoing({ a: new Blob(['<']) }, html), { code: 'SWS_NOT_ENCODABLE' })
})

test('near misses: empty objects, boxes, instances with members, other realms', () => {
  class Point {
    x = 1
  }
  assert.equal(sent({}), '{}')
  assert.equal(sent([{}, Object.create(null), 'a{}']), '[{},{},"a{}"]')
  assert.equal(
    sent([{}, new Point(), new Number(1), new Boolean(false), new String('<')]),
    '[{},{"x":1},1,false,"&lt;"]',
  )
  const { window } = new JSDOM('', { runScripts: 'outside-only' })
  assert.equal(sent(window.eval('({ a: {} })')), '{"a":{}}')
})

test('OU-02 OU-07 toJSON, Date, URL, getters, proxies: serialized once, and that text is what is encoded', () => {
  let reads = 0
  const turning = {
    get a() {
      reads += 1
      return reads === 1 ? '<b>' : '<script>'
    },
  }
  assert.equal(sent(turning), '{"a":"&lt;b&gt;"}')
  assert.equal(reads, 1)
  assert.equal(sent({ toJSON: () => '<b>' }), '"&lt;b&gt;"')
  assert.equal(sent({ a: { toJSON: () => ({ '<': '>' }) } }), '{"a":{"&lt;":"&gt;"}}')
  assert.equal(sent(new Date(0)), '"1970-01-01T00:00:00.000Z"')
  assert.equal(sent([new Date(Number.NaN), Number.NaN]), '[null,null]')
  assert.equal(sent({ a: new URL('https://a.example/?x=1&y=2') }), '{"a":"https://a.example/?x=1&amp;y=2"}')
  assert.equal(sent(new Proxy({ a: '<' }, {})), '{"a":"&lt;"}')
  assert.equal(sent({ a: undefined, b: () => 1, c: Symbol('c'), d: [undefined] }), '{"d":[null]}')
})

// A buffer that is refilled or transferred after send() must not change what leaves: bytes are copied, a Blob cannot change.
test('OU-04 bytes and Blob are binary, pass unchanged, and bytes are taken when they are sent', async () => {
  const bytes = Buffer.from('<b>')
  const values = [
    bytes,
    new Uint8Array(bytes),
    new DataView(new ArrayBuffer(3)),
    new ArrayBuffer(3),
    new SharedArrayBuffer(3),
    new Blob(['<']),
  ]
  for (const value of values) {
    const outgoing = encodeOutgoing(value, html)
    if (value instanceof Blob) {
      assert.ok(outgoing instanceof Promise)
      assert.equal(outgoing.bytes, value.size)
      assert.deepEqual(await outgoing, { payload: await value.arrayBuffer(), binary: true })
    } else assert.deepEqual(outgoing, { payload: Buffer.copyBytesFrom(viewOf(value)), binary: true })
  }
})

// socket.send(Buffer.from(html), { binary: false }) is a text frame that no string check has seen.
test('OU-04 bytes sent as text are text, and are encoded', async () => {
  const bytes = Buffer.from('x<b>')
  const shared = new SharedArrayBuffer(3)
  new Uint8Array(shared).set(Buffer.from('<b>'))
  for (const value of [
    bytes.subarray(1),
    new Uint8Array(Buffer.from('<b>')),
    new DataView(Uint8Array.from(Buffer.from('<b>')).buffer),
    shared,
    new Blob(['<b>']),
  ]) {
    assert.deepEqual(await encodeOutgoing(value, html, undefined, false), { payload: '&lt;b&gt;', binary: false })
  }
  assert.deepEqual(await encodeOutgoing(Buffer.from([0xff, 0x3c]), html, undefined, false), {
    payload: '\ufffd&lt;',
    binary: false,
  })
  assert.deepEqual(await encodeOutgoing(new Blob(['\ufeff<']), html, 'json', false), {
    payload: '\ufeff\\u003c',
    binary: false,
  })
})

test('text sent as a binary frame is still encoded', () => {
  assert.deepEqual(encodeOutgoing('<', html, undefined, true), { payload: '&lt;', binary: true })
  assert.deepEqual(encodeOutgoing(['<'], html, undefined, true), { payload: '["&lt;"]', binary: true })
})

test('OU-10 text frames are well-formed: a lone surrogate is U+FFFD, in JSON it stays an escape', () => {
  for (const mode of ['html', 'json', 'none'] as const) {
    assert.equal(sent('a\ud800b', html, mode), 'a\ufffdb')
    assert.equal(sent(['\udc00'], html, mode), '["\\udc00"]')
  }
  assert.equal(sent(dangerouslyTrustHtml('\ud800')), '\ufffd')
  assert.equal(sent('\u{1f600}\0\u0085\u202e'), '\u{1f600}\0\u0085\u202e')
})

test('replies and errors of the connection pass the encoder', () => {
  assert.equal(
    encodedAs({ type: 'reply', id: '<', value: { '<': dangerouslyTrustHtml('<b>') } }, 'html'),
    '{"type":"reply","id":"&lt;","value":{"&lt;":"<b>"}}',
  )
  assert.equal(encodedAs({ value: '<'.repeat(100) }, 'html'), `{"value":"${'&lt;'.repeat(100)}"}`)
  assert.equal(encodedAs({ value: '<' }, 'json'), '{"value":"\\u003c"}')
  assert.throws(() => encodedAs({ value: 1n }, 'html'), { code: 'SWS_NOT_ENCODABLE' })
})

// What the client does: JSON.parse the frame, put a member into innerHTML, or between the quotes of an attribute.
test('1.2.1 in a real parser every text arrives as itself, as text and as attribute', () => {
  const { document } = new JSDOM('').window
  const texts = [
    '<img src=x onerror=alert(1)>',
    '"><script>alert(1)</script>',
    "' onmouseover='x",
    '&lt;b&gt; &amp; &copy',
    '</textarea><b>',
    '{{7*7}} `x`',
    '<!-- --> <![CDATA[',
    '\\"<',
    'javascript:alert(1)',
  ]
  for (const text of texts) {
    const { [String(sent('k'))]: arrived } = JSON.parse(String(sent({ k: text })))
    for (const frame of [arrived, sent(text)]) {
      const host = document.createElement('div')
      host.innerHTML = `<p title="${frame}" lang='${frame}'>${frame}</p>`
      assert.equal(host.children.length, 1)
      const [p] = host.children
      assert.ok(p)
      assert.equal(p.children.length, 0)
      assert.equal(p.textContent, text)
      assert.deepEqual(p.getAttributeNames(), ['title', 'lang'])
      assert.equal(p.getAttribute('title'), text)
      assert.equal(p.getAttribute('lang'), text)
    }
  }
})

test('OU-03 what cannot be sent is named: the type of the value, or the first line of why', () => {
  const types: [unknown, string][] = [
    [undefined, 'undefined'],
    [() => 1, 'function'],
    [Object.assign(() => 1, { toJSON: () => '<b>' }), 'function'],
    [Symbol('secret'), 'symbol'],
    [{ toJSON: () => undefined }, 'object'],
  ]
  for (const [value, type] of types) {
    assert.throws(() => stringify(value), {
      code: 'SWS_NOT_ENCODABLE',
      message: `A value of type ${type} cannot be sent; send null or an object`,
    })
  }
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  // V8 draws the cycle over several lines, with the names of members.
  assert.throws(() => stringify(cycle), {
    code: 'SWS_NOT_ENCODABLE',
    message: 'The value cannot be sent as JSON: Converting circular structure to JSON',
  })
  const why = new TypeError('first\nsecond')
  const thrown = notEncodable(why)
  assert.equal(thrown.message, 'The value cannot be sent as JSON: first')
  assert.equal(thrown.code, 'SWS_NOT_ENCODABLE')
  assert.equal(thrown.cause, why)
  for (const cause of ['secret', undefined, { message: 'secret' }]) {
    assert.equal(notEncodable(cause).message, 'The value cannot be sent as JSON: a member threw')
    assert.equal(notEncodable(cause).cause, cause)
  }
})

test('an error of this package that a member throws arrives as itself', () => {
  const own = new SecureWsError('SWS_UNSAFE_URL', 'its own words')
  assert.equal(notEncodable(own), own)
  const thrower = {
    get a() {
      throw own
    },
  }
  assert.throws(
    () => stringify(thrower),
    (error) => error === own,
  )
})

test('OU-07 only an object that lost its content is refused, and it is told what to send', () => {
  const message =
    'A Map, Set, Promise, Error or other object without members of its own would be sent as {}. ' +
    'Send a plain object (Object.fromEntries), an array, or await the promise first'
  class Empty {}
  for (const member of [
    new Map([[1, 2]]),
    new Set(),
    new Error('secret'),
    /x/,
    new Empty(),
    Object.create(new Empty()),
  ]) {
    assert.throws(() => refuseLossOf(member), { code: 'SWS_NOT_ENCODABLE', message })
    assert.throws(() => serialize({ a: member }), { code: 'SWS_NOT_ENCODABLE', message })
    assert.throws(() => refuseLoss([member], '[{}]'), { code: 'SWS_NOT_ENCODABLE', message })
  }
  const call = () => 1
  const symbol = Symbol('s')
  const kept = [
    ...['', 'x', 0, 1, true, null, undefined, 1n, call, symbol],
    ...[[], [1], {}, { a: 1 }, Object.create(null), new Number(0), new Boolean(false), new String('')],
    ...[Object(1n), Object(symbol), Object.assign(new Map(), { a: 1 }), Object.assign(new Error('x'), { code: 1 })],
  ]
  for (const member of kept) assert.equal(refuseLossOf(member), member)
  // Every kind of leaf, next to the {} that makes it worth a second look.
  assert.equal(
    serialize([{}, '', 0, true, null, undefined, call, symbol, [], new Number(0), new Boolean(false), new String('')]),
    '[{},"",0,true,null,null,null,null,[],0,false,""]',
  )
})

// A getter that turns on its second read: a text without {} is taken as it is, and nothing is read again.
test('OU-02 a value is read a second time only where its text holds {}', () => {
  let reads = 0
  const counting = {
    get a() {
      reads += 1
      return reads
    },
  }
  assert.equal(serialize(counting), '{"a":1}')
  refuseLoss(counting, '{"a":1}')
  assert.equal(reads, 1)
  refuseLoss(counting, '[{}]')
  assert.equal(reads, 2)
})

test('OU-09 each of the five characters is escaped, wherever and however often it stands, and no other', () => {
  const escapes = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' }
  for (const [char, escaped] of Object.entries(escapes)) {
    assert.equal(escapeJsonText(char), escaped)
    assert.equal(escapeJsonText(`"a${char}${char}b${char}"`), `"a${escaped}${escaped}b${escaped}"`)
    assert.equal(JSON.parse(escapeJsonText(JSON.stringify(char))), char)
  }
  const near = '"=;%\'\u2027\u202a\\/?$@"'
  assert.equal(escapeJsonText(near), near)
  assert.equal(escapeJsonText(''), '')
})

const declaring = compileOutbound({
  encode: 'html',
  sends: {
    said: { schema: Type.Object({ text: Type.String() }) },
    post: { schema: Type.Object({ body: Type.String({ contentMediaType: 'text/html' }) }) },
  },
  path: 'secureWs',
  sanitizeHtml: (dirty) => Promise.resolve(dangerouslyTrustHtml(dirty.replaceAll('<script>', ''))),
  warn: () => assert.fail('a route that declares its output takes no text'),
})

test('OU-13 what a route declares leaves in either kind of frame and in every mode, at once or when it is sanitized', async () => {
  const said = { type: 'said', text: '<', hash: 'secret' }
  const encoded = { html: '&lt;', json: '\\u003c', none: '<' }
  for (const [mode, text] of Object.entries(encoded)) {
    for (const binary of [undefined, false, true]) {
      assert.deepEqual(Reflect.apply(encodeOutgoing, undefined, [said, declaring, mode, binary]), {
        payload: `{"type":"said","text":"${text}"}`,
        binary: binary === true,
      })
    }
  }
  for (const binary of [undefined, false, true]) {
    const waiting = encodeOutgoing({ type: 'post', body: '<b><script>' }, declaring, undefined, binary)
    assert.ok(waiting instanceof Promise)
    assert.deepEqual(await waiting, { payload: '{"type":"post","body":"<b>"}', binary: binary === true })
  }
})

// send(JSON.stringify(user)), or the same as bytes in a text frame: past the schema, password hash and all.
test('OU-13 no text passes by what a route declares, however it is wrapped; binary frames and own replies do', async () => {
  const text = '{"type":"said","text":"x","hash":"secret"}'
  const bytes = Buffer.from(text)
  for (const value of [text, dangerouslyTrustHtml(text), encodeFor.json({ type: 'said' }), [text], null]) {
    assert.throws(() => encodeOutgoing(value, declaring), { code: 'SWS_UNDECLARED_TYPE' })
  }
  assert.throws(() => encodeOutgoing(bytes, declaring, undefined, false), { code: 'SWS_UNDECLARED_TYPE' })
  await assert.rejects(async () => encodeOutgoing(new Blob([text]), declaring, undefined, false), {
    code: 'SWS_UNDECLARED_TYPE',
  })
  assert.deepEqual(encodeOutgoing(bytes, declaring), { payload: bytes, binary: true })
  assert.equal(encodedAs({ type: 'reply', id: 1 }, declaring.mode), '{"type":"reply","id":1}')
})

test('a declaration that is none is refused where the route is registered, by its path', () => {
  for (const sends of [null, 'said', [], 1]) {
    assert.throws(
      () => Reflect.apply(compileOutbound, undefined, [{ encode: 'html', sends, path: 'secureWs', warn: () => {} }]),
      { code: 'SWS_BAD_OPTION', message: /`secureWs\.sends` is / },
    )
  }
})

// A getter that turns on its second read. Two reads are the price of markup that has to be told from text, and of no other.
test('OU-02 clean text is read once, markup among it or not', () => {
  let reads = 0
  const value = {
    get a() {
      reads += 1
      return reads === 1 ? 'clean' : '<script>'
    },
    markup: dangerouslyTrustHtml('as clean'),
  }
  assert.equal(sent(value), '{"a":"clean","markup":"as clean"}')
  assert.equal(reads, 1)
})

test('OU-04 bytes sent as text are encoded for the mode of this send, in all their kinds', async () => {
  const bytes = Uint8Array.from(Buffer.from('x<\u20ac>y'))
  const part = bytes.subarray(1, -1)
  const kinds = [part, new DataView(bytes.buffer, 1, 5), bytes.slice(1, -1).buffer, new Blob([part])]
  for (const value of kinds) {
    assert.deepEqual(await encodeOutgoing(value, html, 'json', false), {
      payload: '\\u003c\u20ac\\u003e',
      binary: false,
    })
    assert.deepEqual(await encodeOutgoing(value, html, 'none', false), { payload: '<\u20ac>', binary: false })
    const payload = value instanceof Blob ? await value.arrayBuffer() : Buffer.copyBytesFrom(viewOf(value))
    assert.deepEqual(await encodeOutgoing(value, html, 'json', true), { payload, binary: true })
  }
})
