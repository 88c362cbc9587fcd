import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type DefaultTreeAdapterMap, defaultTreeAdapter, parseFragment } from 'parse5'
import { SecureWsError } from '../../src/errors.ts'
import { Encoded } from '../../src/outbound/encoded.ts'
import { compileSanitizing, createSanitizer, sanitizeHtml } from '../../src/sanitizing/sanitizing.ts'
import fc from '../harness/fast-check.ts'

const reasons: string[] = []
const basic = createSanitizer(compileSanitizing({ timeLimit: 10_000 }), (reason) => reasons.push(reason))
const rich = createSanitizer(compileSanitizing({ profile: 'rich', inputBytes: 2_000_000, cache: 0 }), () => {})
before(() => Promise.all([basic.start(), rich.start()]))
after(() => Promise.all([basic.close(), rich.close()]))

const refused = { name: 'SecureWsError', code: 'SWS_SANITIZE_REFUSED' } as const
/** Nothing is wrong with the document or its sender. */
const failed = { name: 'SecureWsError', code: 'SWS_INTERNAL' } as const

/** What a browser would find in the text, as `tag attribute=value` lines: read by a parser, not by a pattern. */
function found(html: string): string[] {
  const lines: string[] = []
  const left: DefaultTreeAdapterMap['childNode'][] = [...parseFragment(html).childNodes]
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    if (!defaultTreeAdapter.isElementNode(node)) continue
    lines.push(node.tagName, ...node.attrs.map(({ name, value }) => `${name}=${value}`))
    left.push(...node.childNodes, ...('content' in node ? node.content.childNodes : []))
  }
  return lines
}
const harmless =
  /^(?:a|b|blockquote|br|code|del|em|i|ins|li|ol|p|pre|s|strong|sub|sup|u|ul|rel=noopener noreferrer nofollow)$/
// DOMPurify cannot take an `is` off, and empties it: it then names no element.
const emptied = 'is='
const harmlessUrl = /^href=(?:https?:|mailto:|(?![\s\p{Cc}]*[a-z][a-z0-9+.-]*:))/iu
const dangers = (html: string) =>
  found(html).filter((line) => line !== emptied && !harmless.test(line) && !harmlessUrl.test(line))

// Self-written members of the families that got past sanitizers before. Each is tried as it is, and its outcome once more:
// mutation XSS is markup that is clean when read once.
const families = {
  'script and handlers':
    '<p onclick=alert(1)>a<script>alert(1)</script><body onload=alert(1)><details ontoggle=alert(1) open>',
  'URL schemes':
    '<a href="java\tscript:alert(1)">a</a><a href="\u0001javascript:alert(1)">b</a><a href="data:text/html,<script>">c</a>',
  'entities in URLs': '<a href="&#106;avascript&colon;alert(1)">a</a><a href="&NewLine;vbscript:x">b</a>',
  'raw text in attributes': '<noscript><p title="</noscript><img src onerror=alert(1)>">',
  'style and title breakout': '<svg><style><p title="</style><img src onerror=alert(1)>"></style></svg>',
  'namespace mix':
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  'form in math':
    '<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror=alert(1) src>">',
  comments: '<!--><img src onerror=alert(1)>--><!-- --!><img src onerror=alert(1)> -->',
  CDATA: '<svg><![CDATA[><img src onerror=alert(1)>]]></svg><![CDATA[ <img src onerror=alert(1)> ]]>',
  'processing instructions': '<?xml-stylesheet href="javascript:alert(1)"?><?php ><img src onerror=alert(1)> ?>',
  template:
    '<template><script>alert(1)</script><img src onerror=alert(1)></template><div><template shadowrootmode=open><script>',
  SMIL: '<svg><a><animate attributeName=href values="javascript:alert(1)"/><text>x</text></a><set attributeName=onmouseover to=alert(1)>',
  clobbering:
    '<form id=attributes><input name=nodeName><input name=parentNode></form><a id=location name=defaultView href=x>',
  'is and custom elements':
    '<p is=x-y><x-y onconnect=alert(1)>a</x-y><selectedcontent><img src onerror=alert(1)></selectedcontent>',
  'unclosed tag': '<b>a</b><img src onerror=alert(1) <p>b</p>',
  'odd names':
    '<svg/onload=alert(1)><x/onclick=alert(1)><a\u000chref="javascript:alert(1)"><img src="x`y" onerror=alert(1)>',
}

for (const [family, dirty] of Object.entries(families)) {
  test(`OU-12 nothing that runs is left: ${family}`, async () => {
    assert.notDeepEqual(dangers(dirty), [], 'the attack is one')
    const clean = await basic.sanitize(dirty)
    assert.deepEqual(dangers(clean), [])
    assert.deepEqual(dangers(await basic.sanitize(clean)), [])
  })
}

test('OU-12 nothing that runs is left of random combinations of those', async () => {
  const piece = fc.oneof(
    fc.constantFrom(...Object.values(families)),
    fc.constantFrom(...Object.values(families).flatMap((text) => text.split(/(?=<)|(?<=>)/))),
    fc.constantFrom(
      '<table>',
      '<select>',
      '</p>',
      '<svg>',
      '<math>',
      '<style>',
      '<title>',
      '-->',
      '"',
      "'",
      '<![CDATA[',
      '&lt;',
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const clean = await basic.sanitize(pieces.join(''))
      assert.deepEqual(dangers(clean), [])
    }),
    { numRuns: 150 },
  )
})

test('formatting and links stay as they were written', async () => {
  const text = '<p>a <strong>b</strong> <em>c</em><br></p><ul><li>d</li></ul><pre><code>e &lt; f</code></pre>'
  assert.equal(await basic.sanitize(text), text)
  assert.equal(
    await basic.sanitize('<a href="https://example.org/?a=1&amp;b=2">x</a>'),
    '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer nofollow">x</a>',
  )
  // What is not in `basic` goes, its text stays.
  assert.equal(await basic.sanitize('<h1>title</h1><div>text</div>'), 'titletext')
  assert.equal(await rich.sanitize('<h1>title</h1>'), '<h1>title</h1>')
})

test('text without a tag is returned as it is, at once, also when closed', async () => {
  const closed = createSanitizer(compileSanitizing({}), () => {})
  await closed.close()
  for (const text of ['', 'a > b', 'R&D &lt;script&gt;', '\u0000 \ud800 "quoted"', 'x'.repeat(1_000_000)]) {
    assert.equal(closed.sanitize(text), text)
  }
  assert.throws(() => closed.sanitize('<b>'), failed)
  assert.equal(closed.stats().threads, 0)
})

test('what is remembered comes at once; the same document twice at once is cleaned once', async () => {
  const dirty = '<b>remembered</b><script>1</script>'
  const hits = basic.stats().cacheHits
  const [first, second] = await Promise.all([basic.sanitize(dirty), basic.sanitize(dirty)])
  assert.equal(first, second)
  assert.equal(basic.sanitize(dirty), '<b>remembered</b>')
  assert.equal(basic.stats().cacheHits, hits + 1)
})

test('OU-14 a refusal says why to the operator, holds nothing of the document, and is remembered', async () => {
  const hostile = `<i>secret</i>${'<div>'.repeat(5_000)}`
  reasons.length = 0
  await assert.rejects(
    async () => basic.sanitize(hostile),
    (error) => {
      assert.ok(error instanceof SecureWsError && error.code === 'SWS_SANITIZE_REFUSED')
      assert.doesNotMatch(error.message, /secret|div/)
      return true
    },
  )
  assert.throws(() => basic.sanitize(hostile), refused)
  assert.deepEqual(reasons, ['nested deeper than 100', 'nested deeper than 100'])
})

test('bytes are counted, not characters, and the last one allowed is allowed', async () => {
  const heard: string[] = []
  const small = createSanitizer(compileSanitizing({ inputBytes: 100 }), (reason) => heard.push(reason))
  assert.throws(() => small.sanitize(`<b>${'\u20ac'.repeat(33)}`), refused)
  assert.throws(() => small.sanitize(`<b>${'x'.repeat(98)}`), refused)
  assert.deepEqual(heard, ['larger than 100 bytes', 'larger than 100 bytes'])
  assert.equal(await small.sanitize(`<b>${'\u20ac'.repeat(32)}x`), `<b>${'\u20ac'.repeat(32)}x</b>`)
  await small.close()
})

test('what is underway is counted once, what was refused for want of room may come again, and closing forgets all', async () => {
  const heard: string[] = []
  const one = createSanitizer(compileSanitizing({ threads: 1, queue: 2 }), (reason) => heard.push(reason))
  const idle = { threads: 0, waiting: 0, replaced: 0, cached: 0, cacheHits: 0, refused: 0 }
  assert.deepEqual(one.stats(), idle)
  // jsdom loads for half a second: all of these wait.
  const [first, again, second, crowded] = ['a', 'a', 'b', 'c'].map((text) => one.sanitize(`<b>${text}</b><script>`))
  assert.equal(one.stats().waiting, 2)
  await assert.rejects(async () => crowded, failed)
  assert.deepEqual(heard, ['the queue of the sanitizer is full'])
  assert.deepEqual(await Promise.all([first, again, second]), ['<b>a</b>', '<b>a</b>', '<b>b</b>'])
  assert.equal(await one.sanitize('<b>c</b><script>'), '<b>c</b>')
  assert.equal(one.sanitize('<b>c</b><script>'), '<b>c</b>')
  assert.deepEqual(one.stats(), { ...idle, threads: 1, cached: 3, cacheHits: 1, refused: 1 })
  await one.close()
  assert.deepEqual(one.stats(), { ...idle, cacheHits: 1, refused: 1 })
  assert.throws(() => one.sanitize('<b>c</b><script>'), failed)
  await assert.rejects(one.start(), failed)
  // @ts-expect-error: a JavaScript user may pass anything.
  assert.throws(() => one.sanitize({ includes: () => false }), refused)
  const closed = 'the sanitizer is closed'
  assert.deepEqual(heard.slice(1), [closed, closed, 'not a string'])
})

test('a sanitizer that was started has a worker', async () => {
  const fresh = createSanitizer(compileSanitizing({ threads: 1 }), () => {})
  await fresh.start()
  assert.equal(fresh.stats().threads, 1)
  await fresh.close()
})

const hostile = {
  'a hundred thousand nested elements': '<div>'.repeat(100_000),
  'a hundred thousand attributes': `<p ${Array.from({ length: 100_000 }, (_, index) => `a${index}`).join(' ')}>`,
  'a megabyte of <': '<'.repeat(1_000_000),
  'five thousand svg and math': '<svg><math>'.repeat(2_500),
  // 90 levels of elements that are not allowed, each holding all that follows: legal in structure, slow to take apart.
  'content that is lifted out again and again': `${'<x-y>'.repeat(90)}${'<p>text</p>'.repeat(4_500)}`,
}

test('OU-14 hostile documents are answered while the main loop is served', async () => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const begun = performance.now()
  const outcomes = await Promise.all(
    Object.values(hostile).map(async (dirty) => {
      try {
        return typeof (await rich.sanitize(dirty))
      } catch (error) {
        return error instanceof SecureWsError ? error.code : error
      }
    }),
  )
  delay.disable()
  for (const outcome of outcomes) assert.match(String(outcome), /^(?:string|SWS_SANITIZE_REFUSED)$/)
  assert.equal(outcomes[0], 'SWS_SANITIZE_REFUSED')
  assert.equal(outcomes[1], 'SWS_SANITIZE_REFUSED')
  assert.equal(outcomes[3], 'SWS_SANITIZE_REFUSED')
  // Cleaned in this thread, the longest delay would be nearly all of the time.
  const [longest, all] = [delay.max / 1e6, performance.now() - begun]
  assert.ok(longest < all / 2, `${longest} of ${all} ms`)
  assert.equal(await rich.sanitize('<b>still here'), '<b>still here</b>')
})

test('a real document that runs out of time costs its worker, and is refused', async () => {
  const paragraph = '<p>Some <b>bold</b> and <a href="https://example.org/">linked</a> text.</p>'
  const hasty = createSanitizer(compileSanitizing({ timeLimit: 50, inputBytes: 65_536 }), () => {})
  await hasty.start()
  await assert.rejects(async () => hasty.sanitize(paragraph.repeat(800)), /took longer than 50 ms/)
  assert.equal(hasty.stats().replaced, 1)
  await hasty.close()
})

// Attack by nobody: a busy machine takes longer to load jsdom than Fastify gives a plugin, and the server did not start.
test('a worker that is slow to come up holds up no start, and the document that waits for it is cleaned', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const slow = createSanitizer(compileSanitizing({ timeLimit: 10_000 }), () => {})
  t.after(() => slow.close())
  let started = false
  const starting = slow.start().then(() => {
    started = true
  })
  t.mock.timers.tick(5_999)
  await new Promise(setImmediate)
  assert.equal(started, false, 'the near miss: it is waited for')
  t.mock.timers.tick(1)
  await new Promise(setImmediate)
  assert.equal(started, true)
  t.mock.timers.reset()
  assert.equal(await slow.sanitize('<b onclick=x>late</b>'), '<b>late</b>')
  await starting
})

test('a program that only used sanitizeHtml ends by itself', async () => {
  const url = new URL('../../src/sanitizing/sanitizing.ts', import.meta.url)
  const program = `import { sanitizeHtml } from ${JSON.stringify(url.href)}
    console.log(String(await sanitizeHtml('<b onclick=x>done')))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 30_000,
  })
  assert.equal(stdout, '<b>done</b>\n')
})

test('sanitizeHtml makes an Encoded, and rejects what it refuses', async () => {
  const clean = await sanitizeHtml('a < b')
  assert.ok(Encoded.is(clean, 'html'))
  await assert.rejects(sanitizeHtml('<p>'.padEnd(70_000, 'x')), refused)
  // @ts-expect-error: a JavaScript user may pass anything.
  await assert.rejects(sanitizeHtml({ toString: () => '<script>' }), refused)
})

test('options are checked with their path', () => {
  const wrong = (options: unknown, message: RegExp) =>
    assert.throws(() => compileSanitizing(options), { code: 'SWS_BAD_OPTION', message })
  wrong({ threads: 0 }, /`sanitize\.threads` is 0\. Write a whole number from 1/)
  wrong({ timeLimit: '1000' }, /`sanitize\.timeLimit` is "1000"/)
  wrong({ timeLimit: Number.POSITIVE_INFINITY }, /timeLimit/)
  wrong({ queue: 1.5 }, /queue/)
  wrong({ timelimit: 5 }, /Did you mean `sanitize\.timeLimit`/)
  wrong({ profile: 'strict' }, /`sanitize\.profile` is "strict"/)
  wrong([], /`sanitize` is \[\]\. Write an object such as \{ profile: 'basic' \}/)
  assert.equal(compileSanitizing({ cache: 0 }).cache, 0)
  assert.equal(compileSanitizing({}).inputBytes, 32_768)
})

test('every number is taken up to its bounds, and not beyond', () => {
  const bounds = {
    threads: [1, 64],
    queue: [1, 1_000_000],
    inputBytes: [1, 16_777_216],
    timeLimit: [50, 60_000],
    cache: [0, 1_000_000],
  } as const
  for (const [key, [least, most]] of Object.entries(bounds)) {
    for (const value of [least, most]) assert.equal(Reflect.get(compileSanitizing({ [key]: value }), key), value)
    for (const value of [least - 1, most + 1, least + 0.5]) {
      const message = new RegExp(`\`sanitize\\.${key}\` is ${value}\\. Write a whole number from ${least} to ${most}`)
      assert.throws(() => compileSanitizing({ [key]: value }), { code: 'SWS_BAD_OPTION', message })
    }
  }
})
