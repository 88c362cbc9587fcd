import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dangerouslyTrustHtml, Encoded, encodedAs } from '../../src/outbound/encoded.ts'
import { isRawJson } from '../../src/outbound/json.ts'
import { encodeAroundMarkup } from '../../src/outbound/markup.ts'
import { compileOutbound, encodeOutgoing } from '../../src/outbound/outbound.ts'

const policy = compileOutbound({
  encode: 'html',
  sends: undefined,
  path: 'secureWs',
  sanitizeHtml: (dirty) => dirty,
  warn: () => {},
})

function sent(value: unknown): string {
  const outgoing = encodeOutgoing(value, policy)
  assert.ok(!(outgoing instanceof Promise))
  return String(outgoing.payload)
}

// The client sends {"html":{"context":"html","#text":"<script>"}} and the server sends it on.
test('OU-13 nothing parsed from a message is Encoded', () => {
  const forged: unknown = JSON.parse('{"context":"html","#text":"<b>","text":"<b>","toString":"<b>"}')
  assert.equal(Encoded.is(forged), false)
  assert.equal(sent(forged), '{"context":"html","#text":"&lt;b&gt;","text":"&lt;b&gt;","toString":"&lt;b&gt;"}')
})

test('OU-13 neither a copy, nor a heir, nor a proxy of an Encoded is one', () => {
  const real = dangerouslyTrustHtml('<b>')
  assert.equal(Encoded.is(real), true)
  assert.equal(Encoded.is(structuredClone({ ...real })), false)
  assert.equal(Encoded.is(Object.create(real)), false)
  assert.equal(Encoded.is(Object.create(Encoded.prototype)), false)
  assert.equal(Encoded.is(new Proxy(real, {})), false)
  for (const value of [null, undefined, '<b>', 1, [real]]) assert.equal(Encoded.is(value), false)
  // The prototype's members belong to real ones: taken along by another object, they throw.
  assert.throws(() => sent({ toJSON: real.toJSON }), { code: 'SWS_NOT_ENCODABLE' })
})

test('Encoded cannot be constructed without its token, which nobody has', () => {
  for (const token of [Symbol('minting'), undefined, 'minting', {}]) {
    assert.throws(() => Reflect.construct(Encoded, [token, 'html', '<b>']), {
      name: 'TypeError',
      message: 'Encoded cannot be constructed: use html, sanitizeHtml or encodeFor',
    })
  }
  assert.throws(() => Reflect.construct(dangerouslyTrustHtml('').constructor, [null, 'html', '<b>']), TypeError)
})

test('an Encoded and its class are frozen', () => {
  const real = dangerouslyTrustHtml('<b>')
  for (const target of [real, Encoded, Encoded.prototype]) assert.ok(Object.isFrozen(target))
  assert.equal(
    Reflect.set(real, 'toJSON', () => '<script>'),
    false,
  )
})

test('an Encoded is its text in concatenation and in JSON', () => {
  const real = dangerouslyTrustHtml('<b>"x"</b>')
  assert.equal(`${real}`, '<b>"x"</b>')
  assert.equal(JSON.stringify({ real }), '{"real":"<b>\\"x\\"</b>"}')
  assert.equal(real.context, 'html')
  assert.equal(Encoded.is(real, 'html'), true)
  assert.equal(Encoded.is(real, 'js'), false)
})

test('dangerouslyTrustHtml takes a string only', () => {
  for (const given of [{ toString: () => '<b>' }, new String('<b>'), ['<b>'], null, undefined, 1]) {
    assert.throws(() => Reflect.apply(dangerouslyTrustHtml, undefined, [given]), {
      name: 'TypeError',
      message: 'dangerouslyTrustHtml takes a string',
    })
  }
})

test('only what is encoded for HTML leaves untouched; for another context it is text', () => {
  for (const context of ['js', 'json', 'url', 'css', 'attribute']) {
    const other = encodedAs(context, '<b>')
    assert.equal(sent(other), '&lt;b&gt;')
    assert.equal(sent({ other }), '{"other":"&lt;b&gt;"}')
    assert.equal(sent([other, dangerouslyTrustHtml('<b>')]), '["&lt;b&gt;","<b>"]')
  }
})

// "<b>" is trusted in one member; the very same characters in another member come from a user.
test('OU-08 the same text is markup in one place and text in the next', () => {
  const markup = dangerouslyTrustHtml('<b>')
  assert.equal(sent(['<b>', markup, '<b>']), '["&lt;b&gt;","<b>","&lt;b&gt;"]')
  assert.equal(sent({ [String(markup)]: markup }), '{"&lt;b&gt;":"<b>"}')
  assert.equal(sent([new String('<b>'), markup]), '["&lt;b&gt;","<b>"]')
})

test('a getter that sends a message of its own, with or without markup, changes nothing in the outer one', () => {
  const inner = dangerouslyTrustHtml('<i>')
  const seen: string[] = []
  const outer = {
    get before() {
      seen.push(sent({ inner, text: '<i>' }))
      return '<i>'
    },
    markup: dangerouslyTrustHtml('<b>'),
    nested: {
      toJSON() {
        const own = inner.toJSON()
        seen.push(sent([inner, '<i>']))
        return own
      },
    },
    after: '<b>',
  }
  assert.equal(sent(outer), '{"before":"&lt;i&gt;","markup":"<b>","nested":"<i>","after":"&lt;b&gt;"}')
  assert.ok(seen.includes('{"inner":"<i>","text":"&lt;i&gt;"}'))
})

test('a member that throws after markup was serialized leaves nothing behind for the next message', () => {
  const markup = dangerouslyTrustHtml('<b>')
  const failing = {
    markup,
    get text(): string {
      throw new Error('no')
    },
  }
  assert.throws(() => sent(failing), { code: 'SWS_NOT_ENCODABLE' })
  assert.equal(sent(['<b>']), '["&lt;b&gt;"]')
  assert.equal(sent(['<b>', dangerouslyTrustHtml('<i>')]), '["&lt;b&gt;","<i>"]')
})

// {"m<img>": ...}: a key that begins like the mark of markup. Keys are never markup.
test('OU-08 a key or a text that begins with the letter of markup is text beside real markup', () => {
  const markup = dangerouslyTrustHtml('<b>')
  for (const letter of ['m', 't', '']) {
    assert.equal(
      encodeAroundMarkup({ [`${letter}<`]: `${letter}<`, x: markup, [letter]: letter }),
      `{"${letter}&lt;":"${letter}&lt;","x":"<b>","${letter}":"${letter}"}`,
    )
  }
  assert.equal(encodeAroundMarkup(markup), '"<b>"')
  assert.equal(encodeAroundMarkup('m<b>'), '"m&lt;b&gt;"')
  assert.equal(encodeAroundMarkup([]), '[]')
  assert.equal(encodeAroundMarkup(['', dangerouslyTrustHtml('')]), '["",""]')
})

// "\\" closes, "\"" does not: one backslash miscounted, and a text ends in the next one's markup.
test('OU-08 quotes and backslashes in markup, text and keys end nothing early', () => {
  for (const end of ['"', '\\', '\\"', '\\\\', '\\\\"', '"\\', '":', '\\":m<']) {
    const markup = `<${end}`
    assert.deepEqual(JSON.parse(encodeAroundMarkup([dangerouslyTrustHtml(markup), 1])), [markup, 1])
    assert.equal(
      encodeAroundMarkup({ [end]: [end, dangerouslyTrustHtml(end), '<'] }),
      `{${htmlOf(end)}:[${htmlOf(end)},${JSON.stringify(end)},"&lt;"]}`,
    )
  }
})

function htmlOf(text: string): string {
  return JSON.stringify(text.replaceAll('<', '&lt;').replaceAll('"', '&quot;'))
}

test('OU-07 beside markup a leaf that is no text stays what it is, and what would be lost is an error', () => {
  const markup = dangerouslyTrustHtml('<b>')
  assert.equal(
    encodeAroundMarkup([
      markup,
      0,
      false,
      null,
      undefined,
      () => 1,
      Symbol('s'),
      new Number(2),
      new Boolean(true),
      {},
      [],
    ]),
    '["<b>",0,false,null,null,null,null,2,true,{},[]]',
  )
  assert.equal(encodeAroundMarkup({ markup, gone: undefined, call: () => 1 }), '{"markup":"<b>"}')
  assert.throws(() => encodeAroundMarkup([markup, new Map([[1, 2]])]), { code: 'SWS_NOT_ENCODABLE', message: lost })
  assert.throws(() => encodeAroundMarkup([markup, 1n]), {
    code: 'SWS_NOT_ENCODABLE',
    message: 'The value cannot be sent as JSON: Do not know how to serialize a BigInt',
  })
})

const lost =
  'A Map, Set, Promise, Error or other object without members of its own would be sent as {}. ' +
  'Send a plain object (Object.fromEntries), an array, or await the promise first'

// rawJSON("1") is a number and must not become a text; rawJSON('"m<b>"') is a text and must not become markup.
test('JSON.rawJSON beside markup: a number stays one, a text is text, however it begins', () => {
  const rawJson: unknown = 'rawJSON' in JSON ? JSON.rawJSON : undefined
  assert.ok(typeof rawJson === 'function')
  const markup = dangerouslyTrustHtml('<b>')
  assert.equal(
    encodeAroundMarkup([rawJson('1'), rawJson('null'), rawJson('true'), rawJson('12345678901234567890'), markup]),
    '[1,null,true,12345678901234567890,"<b>"]',
  )
  assert.equal(
    encodeAroundMarkup([rawJson('"m<b>"'), rawJson('"\\u003cb>"'), rawJson('""'), markup]),
    '["m&lt;b&gt;","&lt;b&gt;","","<b>"]',
  )
  assert.equal(isRawJson(rawJson('1')), true)
  for (const other of [
    {},
    { rawJSON: '"<b>"' },
    [],
    Object.freeze(Object.assign(Object.create(null), { rawJSON: '1' })),
  ]) {
    assert.equal(isRawJson(other), false)
  }
})

test('after a message with markup the next JSON.stringify of an Encoded is a string again', () => {
  const markup = dangerouslyTrustHtml('<b>')
  encodeAroundMarkup([markup])
  assert.equal(markup.toJSON(), '<b>')
})
