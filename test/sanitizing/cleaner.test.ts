import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import createDOMPurify, { type Config } from 'dompurify'
import { type DOMWindow, JSDOM } from 'jsdom'
import { assertSupported, createCleaner } from '../../src/sanitizing/cleaner.ts'
import { compileProfile } from '../../src/sanitizing/profile.ts'

// On a DOM that it does not support DOMPurify returns what it was given, scripts and all.
test('a DOM that DOMPurify does not support is refused', () => {
  const { window } = new JSDOM('')
  Reflect.deleteProperty(window.DOMImplementation.prototype, 'createHTMLDocument')
  const unsupported = createDOMPurify(window)
  assert.equal(unsupported.sanitize('<script>1</script>'), '<script>1</script>')
  assert.throws(() => assertSupported(unsupported), /does not support/)
  assertSupported(createDOMPurify(new JSDOM('').window))
})

test('a DOMPurify that says it is supported and cleans nothing is refused', () => {
  assert.throws(() => assertSupported({ isSupported: true, sanitize: String }), /does not clean/)
  assert.throws(() => assertSupported({ isSupported: true, sanitize: () => '' }), /does not clean/)
})

test('every link gets rel, and nothing else does', () => {
  const cleaner = createCleaner(compileProfile({ USE_PROFILES: { html: true, svg: true } }, 'x'))
  const rel = 'rel="noopener noreferrer nofollow"'
  assert.equal(cleaner.clean('<a href="/x" rel="opener" target="_blank">x</a>'), `<a href="/x" ${rel}>x</a>`)
  assert.match(cleaner.clean('<map><area href="/x"></map>'), new RegExp(rel))
  assert.match(cleaner.clean('<svg><a xlink:href="/x"><text>x</text></a></svg>'), new RegExp(rel))
  assert.equal(cleaner.clean('<a>x</a><p>x</p>'), '<a>x</a><p>x</p>')
  // An address alone makes no link.
  assert.equal(cleaner.clean('<p href="/x">x</p>'), '<p href="/x">x</p>')
  cleaner.end()
})

test('each profile is the one that is asked for', () => {
  const dirty = '<h1>a</h1><b>b</b><svg><circle r="1"></circle></svg><section>c</section>'
  const outcomes = (['basic', 'rich', { ALLOWED_TAGS: ['section'] }] as const).map((profile) => {
    const cleaner = createCleaner(compileProfile(profile, 'x'))
    const clean = cleaner.clean(dirty)
    cleaner.end()
    return clean
  })
  assert.deepEqual(outcomes, ['a<b>b</b>c', '<h1>a</h1><b>b</b>c', 'ab<section>c</section>'])
})

test('images of the rich profile come from https addresses only', () => {
  const cleaner = createCleaner(compileProfile('rich', 'x'))
  assert.equal(cleaner.clean('<img src="https://a.example/b" alt="c">'), '<img src="https://a.example/b" alt="c">')
  // A relative one is a GET with the reader's cookies: /logout, say.
  for (const src of [
    '/logout',
    '//a.example/',
    'http://a.example/',
    'data:image/png;base64,AA==',
    'https:/x',
    'httpsx://a',
    'http://a.example/?https://b.example/',
    '/logout?https://b.example/',
  ]) {
    assert.equal(cleaner.clean(`<img src="${src}">`), '<img>')
  }
  cleaner.end()
})

// Which images an own profile wants is its own affair: ALLOWED_URI_REGEXP says it.
test('an own profile may have images of its own site', () => {
  const cleaner = createCleaner(compileProfile({ ALLOWED_TAGS: ['img'], ALLOWED_ATTR: ['src'] }, 'x'))
  assert.equal(cleaner.clean('<img src="/a.png">'), '<img src="/a.png">')
  cleaner.end()
})

/** Options that a profile leaves out, or may not set at all, each with a document that it lets through or spoils. */
const options: readonly (readonly [Config, string])[] = [
  [{ ADD_ATTR: ['onclick'] }, '<p onclick="b()">a</p>'],
  [{ ADD_DATA_URI_TAGS: ['a'] }, '<a href="data:text/html,b">a</a>'],
  [{ ADD_TAGS: ['iframe'] }, 'a<iframe src="/b"></iframe>'],
  [{ ADD_URI_SAFE_ATTR: ['href'] }, '<a href="javascript:b()">a</a>'],
  [{ ALLOW_UNKNOWN_PROTOCOLS: true }, '<a href="foo:b">a</a>'],
  [{ CUSTOM_ELEMENT_HANDLING: { tagNameCheck: /./, attributeNameCheck: /./ } }, '<x-y onclick="b()">a</x-y>'],
  [{ FORBID_CONTENTS: [] }, 'a<script>b()</script>'],
  [{ KEEP_CONTENT: false }, '<x>a</x>'],
  [{ NAMESPACE: 'http://www.w3.org/2000/svg' }, '<b>a</b>'],
  [{ PARSER_MEDIA_TYPE: 'application/xhtml+xml' }, '<b>a<br></b>'],
  [{ RETURN_DOM: true }, '<b>a</b>'],
  [{ RETURN_DOM_FRAGMENT: true }, '<b>a</b>'],
  [{ SAFE_FOR_TEMPLATES: true }, '<b>{{a}}</b>'],
  [{ SAFE_FOR_XML: false }, '<p title="</style>">a</p>'],
  [{ SANITIZE_DOM: false }, '<p id="cookie">a</p>'],
  [{ WHOLE_DOCUMENT: true }, '<b>a</b>'],
]

for (const [option, dirty] of options) {
  test(`what a polluted Object.prototype says is no option: ${Object.keys(option)}`, () => {
    const own = { ALLOWED_TAGS: ['a', 'b', 'br', 'p'], ALLOWED_ATTR: ['href', 'id', 'title'] }
    const profile = compileProfile(own, 'x')
    const outcome = () => {
      const cleaner = createCleaner(profile)
      const clean = cleaner.clean(dirty)
      cleaner.end()
      return clean
    }
    const clean = outcome()
    assert.equal(polluted(option, outcome), clean)
    // As an option it would show.
    const loosened: unknown = createDOMPurify(new JSDOM('').window).sanitize(dirty, { ...own, ...option })
    assert.notEqual(loosened, clean)
  })
}

// CVE-2026-41238: a polluted prototype reached into CUSTOM_ELEMENT_HANDLING, and admitted every custom element.
test('a polluted Object.prototype admits no custom element', () => {
  const checks = { tagNameCheck: /./, attributeNameCheck: /./, allowCustomizedBuiltInElements: true }
  polluted(checks, () => {
    const cleaner = createCleaner(compileProfile('basic', 'x'))
    assert.equal(cleaner.clean('<x-y onclick="b()">a</x-y><p is="x-y">c</p>'), 'a<p is="">c</p>')
    cleaner.end()
  })
})

/** Runs what is given while every object inherits the properties of another. */
function polluted<T>(properties: object, act: () => T): T {
  for (const [key, value] of Object.entries(properties)) {
    Object.defineProperty(Object.prototype, key, { value, configurable: true, writable: true })
  }
  try {
    return act()
  } finally {
    for (const key of Object.keys(properties)) Reflect.deleteProperty(Object.prototype, key)
  }
}

test('a cleaner does not come to be on a DOM that DOMPurify does not support', (t) => {
  changeWindows(t, (window) => Reflect.deleteProperty(window.DOMImplementation.prototype, 'createHTMLDocument'))
  assert.throws(() => createCleaner(compileProfile('basic', 'x')), /does not support/)
})

// jsdom's own console is the program's, and what it complains about comes with a quote from the document.
test('nothing that jsdom complains about is written anywhere, and the window ends with its cleaner', (t) => {
  const written = (['log', 'info', 'warn', 'error'] as const).map((kind) => t.mock.method(console, kind, () => {}))
  const windows: DOMWindow[] = []
  changeWindows(t, (window) => windows.push(window))
  const cleaner = createCleaner(compileProfile('basic', 'x'))
  const [window] = windows
  assert.ok(window)
  window.document.body.innerHTML = '<style>@import "https://[secret"</style>'
  const ended = t.mock.method(window, 'close')
  cleaner.end()
  assert.deepEqual(
    [...written, ended].map(({ mock }) => mock.callCount()),
    [0, 0, 0, 0, 1],
  )
})

function changeWindows(t: TestContext, change: (window: DOMWindow) => void): void {
  const get = Object.getOwnPropertyDescriptor(JSDOM.prototype, 'window')?.get
  t.mock.getter(JSDOM.prototype, 'window', function (this: JSDOM) {
    const window: DOMWindow = get?.call(this)
    change(window)
    return window
  })
}
