import assert from 'node:assert/strict'
import { test } from 'node:test'
import createDOMPurify from 'dompurify'
import { JSDOM } from 'jsdom'
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
  cleaner.end()
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
  ]) {
    assert.equal(cleaner.clean(`<img src="${src}">`), '<img>')
  }
  cleaner.end()
})

// CVE-2026-41238: a polluted prototype reached CUSTOM_ELEMENT_HANDLING and admitted every custom element.
test('a polluted Object.prototype loosens nothing', () => {
  const pollution: Record<string, unknown> = {
    tagNameCheck: /.*/,
    attributeNameCheck: /.*/,
    ALLOW_UNKNOWN_PROTOCOLS: true,
    ADD_TAGS: ['iframe'],
    SAFE_FOR_XML: false,
  }
  for (const [key, value] of Object.entries(pollution)) {
    Object.defineProperty(Object.prototype, key, { value, configurable: true, writable: true })
  }
  try {
    const cleaner = createCleaner(compileProfile('basic', 'x'))
    assert.equal(cleaner.clean('<x-y onclick=alert(1)>t</x-y><iframe src=x></iframe><a href=foo:x>u</a>'), 't<a>u</a>')
    cleaner.end()
  } finally {
    for (const key of Object.keys(pollution)) Reflect.deleteProperty(Object.prototype, key)
  }
})
