import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { parseMessage, readText } from '../../src/inbound/parse.ts'
import fc from '../harness/fast-check.ts'

const depth = 32

function reasonOf(text: string): string | undefined {
  const parsed = parseMessage(text, depth)
  return 'reason' in parsed ? parsed.reason : undefined
}

function accepts(text: string): void {
  const parsed = parseMessage(text, depth)
  assert.ok(!('reason' in parsed), `${text} was refused`)
  assert.deepEqual(parsed.body, JSON.parse(text))
}

function refuses(text: string, reason: RegExp): void {
  assert.match(reasonOf(text) ?? 'accepted', reason, text)
}

describe('parseMessage', () => {
  it('MS-01 refuses whatever is not a JSON object with a string type', () => {
    for (const text of [
      '',
      ' ',
      'hello',
      '{',
      '{"type":"a"',
      "{'type':'a'}",
      '{"type":"a",}',
      'NaN',
      '{"type":"a","n":NaN}',
    ]) {
      refuses(text, /not JSON/)
    }
    for (const text of ['null', '1', '"type"', '[]', '[{"type":"a"}]', 'true']) refuses(text, /not an object/)
    for (const text of ['{}', '{"Type":"a"}', '{"type":1}', '{"type":null}', '{"type":["a"]}'])
      refuses(text, /`type` is not/)
    refuses(`{"type":"${'a'.repeat(65)}"}`, /longer than 64/)
    accepts(`{"type":"${'a'.repeat(64)}"}`)
    accepts('{"type":""}')
    accepts(' \n{ "type" : "a" }\t')
  })

  it('ASVS 1.5.3 refuses a BOM and anything behind the value', () => {
    refuses('\ufeff{"type":"a"}', /not JSON/)
    for (const text of ['{"type":"a"}{"type":"b"}', '{"type":"a"}]', '{"type":"a"} x', '{"type":"a"}\u0000'])
      refuses(text, /not JSON/)
    accepts('{"type":"a","t":"\ufeff"}')
  })

  // {"type":"ping","type":"admin"}: whoever keeps the first reads another message than whoever keeps the last.
  it('MS-05 refuses a member written twice, at any depth and in any spelling', () => {
    refuses('{"type":"ping","type":"admin"}', /written twice/)
    refuses('{"type":"ping","\\u0074ype":"admin"}', /written twice/)
    refuses('{"type":"a","b":[{"c":1,"c":1}]}', /written twice/)
    refuses('{"type":"a","b":{"c":{},"c":{"d":{"e":1}}}}', /written twice/)
    refuses('{"type":"a","1":1,"1":1}', /written twice/)
    refuses('{"type":"a","":1,"":1}', /written twice/)
    // Colons and quotes inside strings are no members; neither is a member of another object of the same name.
    accepts('{"type":"a","b":"c:d\\":\\"e\\":","c:":":","x":"\\u003a"}')
    accepts('{"type":"a","b":{"type":"a"},"c":[{"type":1},{"type":1}]}')
    accepts('{"type":"a","b":"\\\\","c":"\\\\\\"","d":1}')
  })

  it('MS-02 refuses __proto__ and constructor.prototype, escaped, nested and in arrays', () => {
    for (const key of ['__proto__', '\\u005f\\u005fproto__', '__\\u0070roto__']) {
      refuses(`{"type":"a","${key}":{"polluted":1}}`, /__proto__/)
      refuses(`{"type":"a","b":[[{"c":{"${key}":1}}]]}`, /__proto__/)
    }
    refuses('{"type":"a","constructor":{"prototype":{"polluted":1}}}', /constructor/)
    refuses('{"type":"a","b":{"constr\\u0075ctor":{"a":1,"prototype":{}}}}', /constructor/)
    accepts('{"type":"a","constructor":"Lotus","prototype":1,"text":"__proto__ and constructor.prototype"}')
    accepts('{"type":"a","constructor":{"name":"Lotus"},"proto":{"__proto":1}}')
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })

  it('MS-03 counts depth before anything is built, and survives 200,000 levels', () => {
    const nested = (levels: number) => `{"type":"a","b":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    accepts(nested(depth))
    refuses(nested(depth + 1), /deeper/)
    refuses(nested(50), /deeper/)
    refuses('['.repeat(200_000), /deeper/)
    refuses('{"a":'.repeat(200_000), /deeper/)
    // Brackets inside strings open nothing; closed ones are no longer open.
    accepts(`{"type":"a","b":"${'['.repeat(1000)}\\"${'{'.repeat(1000)}"}`)
    accepts(`{"type":"a","b":[${Array(500).fill('[]').join(',')}]}`)
  })

  it('MS-06 refuses numbers beyond double range, and leaves the others to the schema as JSON.parse reads them', () => {
    for (const number of ['1e400', '-1e400', '1e309', `1${'0'.repeat(400)}`]) {
      refuses(`{"type":"a","n":${number}}`, /double range/)
      refuses(`{"type":"a","n":[[${number}]]}`, /double range/)
    }
    for (const number of ['-0', '1E-400', '9007199254740993', '1.7976931348623157e308'])
      accepts(`{"type":"a","n":${number}}`)
    for (const number of ['NaN', 'Infinity', '-Infinity', '01', '+1', '.5', '0x10'])
      refuses(`{"type":"a","n":${number}}`, /not JSON/)
  })

  it('MS-12 refuses lone surrogates and NUL, as text and as member names', () => {
    for (const lone of ['\\ud800', '\\uDFFF', '\\ud800x\\udc00', '\\udc00\\ud800']) {
      refuses(`{"type":"a","t":"${lone}"}`, /lone surrogate/)
      refuses(`{"type":"a","${lone}":1}`, /lone surrogate/)
    }
    refuses('{"type":"a","t":["\\u0000"]}', /NUL/)
    refuses('{"type":"a","x\\u0000":1}', /NUL/)
    refuses('{"type":"a","t":"\u0000"}', /not JSON/)
    refuses('\u0000{"type":"a"}', /not JSON/)
    accepts('{"type":"a","t":"\\ud83d\\ude00 \ud83d\ude00 \u2028 \\\\ud800 \\\\u0000 \\u0001"}')
  })

  it('takes an id that is a short string or a safe integer, and refuses every other', () => {
    const uuid = '"0b0f8a3e-6a0c-4b52-8d2f-7d0f8e9f1c11"'
    const base64 = '"aGk+L3w/fn5+Cg=="'
    for (const id of ['"7"', '""', '0', '-1', '9007199254740991', `"${'x'.repeat(64)}"`, uuid, base64, '"a.b:c~d"'])
      accepts(`{"type":"a","id":${id}}`)
    // An id that must be encoded on its way back is another id there: `x&y` came back as `x&amp;y`.
    const changed = ['"x&y"', '"<b>"', '"a\'b"', '"\\""', '"a b"', '"\\n"', '"\u00e9"', '"\u2028"', '"x\\n"']
    const others = ['9007199254740992', '1.5', 'null', 'true', '{}', '[1]', `"${'x'.repeat(65)}"`]
    for (const id of [...others, ...changed]) {
      refuses(`{"type":"a","id":${id}}`, /`id` is neither/)
    }
  })

  it('does not take a type from a polluted Object.prototype', (t) => {
    t.after(() => Reflect.deleteProperty(Object.prototype, 'type'))
    Object.defineProperty(Object.prototype, 'type', { value: 'admin', configurable: true, writable: true })
    refuses('{"text":"a"}', /`type` is not/)
  })

  // nodejs/node issue 63785: whoever reads a name as another one lets a member past whatever was to look at it.
  it('MS-05 delivers no member under another name than was written', () => {
    const poisons = ['"\\\\"', '"a\\\\"', '"typ\\\\"', '"\\\\u00"']
    const names = ['"\\""', '"\\n"', '"a\\n"', '"a\\u0062"', '"typ\\u0065"', '"\\u0061"', '"\\/"', '"\\u0000\\u0000"']
    let misread = 0
    for (const poison of poisons) {
      for (const name of names) {
        for (const first of ['"h":[],', '"type":"a",', '']) {
          JSON.parse(`{${first}${poison}:0}`)
          const text = `{${first}${name}:"b"${first.includes('type') || name.includes('typ') ? '' : ',"type":"a"'}}`
          const written: unknown = JSON.parse(name)
          if (!Object.keys(JSON.parse(text)).includes(String(written))) misread++
          const outcome = parseMessage(text, 32)
          if ('body' in outcome) assert.equal(Reflect.get(outcome.body, String(written)), 'b', text)
          else assert.match(outcome.reason, /misreads|NUL|written twice/, text)
        }
      }
    }
    // Otherwise nothing of this was attacked. Node 22 reads all of them, and so will one that is mended.
    if (process.version === 'v24.21.0') assert.ok(misread > 0)
  })

  it('MS-05 takes names with backslashes that are read as they are written, and escapes beside them', () => {
    accepts('{"type":"a","\\\\":1,"\\\\\\\\":{"c\\\\d":[{"\\u005ce":1}]},"text":"\\\\\\": "}')
    accepts('{"type" : "a", "x\\\\" : "y:z" , "\\u0062" : {"k" : 1}}')
    // The name of the misread member stands in the text, as a value and as a name elsewhere.
    JSON.parse('{"q":[],"\\\\":0}')
    const outcome = parseMessage('{"q":1,"\\"":2,"type":"a","o":{"x":"\\\\"}}', 32)
    if ('body' in outcome) assert.deepEqual(Object.keys(outcome.body), ['q', '"', 'type', 'o'])
    else assert.match(outcome.reason, /misreads/)
  })

  it('MS-05 finds every repeated member of generated objects, however it is escaped', () => {
    const name = fc.string({ maxLength: 4 }).filter((key) => key !== '__proto__' && key !== 'constructor')
    const escaped = (key: string) =>
      `"${[...Array(key.length).keys()].map((at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 }), fc.nat(), (extra, pick) => {
        const body = { ...extra, type: 'a' }
        const text = JSON.stringify(body)
        const sane = !/\\u0000|__proto__|constructor/.test(text) && !Object.hasOwn(extra, 'id')
        // Node 24 and 26 misread some names with an escape: see below.
        fc.pre(sane && isDeepStrictEqual(JSON.parse(text), body))
        accepts(text)
        const keys = Object.keys(body)
        const twice = keys[pick % keys.length] ?? 'type'
        refuses(`${text.slice(0, -1)},${JSON.stringify(twice)}:"a:b"}`, /written twice/)
        refuses(`{${escaped(twice)}:[{"x":"y:z"}],${text.slice(1)}`, /written twice|NUL/)
      }),
      { numRuns: 300 },
    )
  })
})

describe('readText', () => {
  it('FR-07 closes with 1007 for what is not UTF-8', () => {
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
      const outcome = readText(Buffer.from(bytes))
      assert.ok(typeof outcome !== 'string')
      assert.equal(outcome.close, 1007)
    }
    assert.equal(readText(Buffer.from('\u20ac\ud83d\ude00')), '\u20ac\ud83d\ude00')
  })

  it('keeps a BOM, so that the parser can refuse it', () => {
    assert.equal(readText(Buffer.from([0xef, 0xbb, 0xbf, 0x7b])), '\ufeff{')
  })
})
