import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileProfile } from '../../src/sanitizing/profile.ts'

const refused = (profile: unknown, path: string) =>
  assert.throws(() => compileProfile(profile, 'sanitize.profile'), {
    name: 'SecureWsError',
    code: 'SWS_BAD_OPTION',
    message: new RegExp(`\`${path.replaceAll('.', '\\.')}\``),
  })

test('basic and rich admit no element or attribute that runs, loads or clobbers', () => {
  for (const name of ['basic', 'rich'] as const) {
    const { config } = compileProfile(name, 'x')
    const tags = config.ALLOWED_TAGS ?? []
    assert.ok(tags.includes('p') && tags.includes('a'))
    assert.equal(tags.includes('table'), name === 'rich')
    for (const tag of ['script', 'style', 'iframe', 'form', 'svg', 'math', 'template', 'base'])
      assert.ok(!tags.includes(tag))
    for (const attr of ['id', 'name', 'class', 'style', 'target']) assert.ok(!config.ALLOWED_ATTR?.includes(attr))
  }
})

test('URLs stay with http, https, mailto or without a scheme', () => {
  const pattern = compileProfile('basic', 'x').config.ALLOWED_URI_REGEXP
  const stays = (url: string) => pattern?.test(url)
  for (const url of [
    'http://a/',
    'https://a/',
    'HTTPS://a/',
    'mailto:a@b',
    '/a',
    '?a',
    '#a',
    'a/b:c',
    '//a',
    '',
    '1:2',
  ]) {
    assert.ok(stays(url), url)
  }
  // Near misses: a scheme that begins like an allowed one, and one with the letters a scheme may have.
  for (const url of ['javascript:x', 'data:x', 'vbscript:x', 'httpsx:y', 'ftp://a', 'x-a+b.c:d', 'mailt:o', 'blob:x']) {
    assert.ok(!stays(url), url)
  }
})

// CVE-2026-41240: a function in ADD_TAGS answered before FORBID_TAGS was asked.
test('an own profile takes lists, never functions', () => {
  refused({ ADD_TAGS: () => true }, 'sanitize.profile.ADD_TAGS')
  refused({ ALLOWED_TAGS: 'p' }, 'sanitize.profile.ALLOWED_TAGS')
  refused({ ALLOWED_TAGS: ['*'] }, 'sanitize.profile.ALLOWED_TAGS')
  assert.deepEqual(compileProfile({ ADD_TAGS: ['x-card'] }, 'x').config, { ADD_TAGS: ['x-card'] })
})

test('an own profile cannot admit what runs', () => {
  refused({ ALLOWED_TAGS: ['p', 'SCRIPT'] }, 'sanitize.profile.ALLOWED_TAGS')
  refused({ ADD_TAGS: ['iframe'] }, 'sanitize.profile.ADD_TAGS')
  refused({ ADD_ATTR: ['onclick'] }, 'sanitize.profile.ADD_ATTR')
  refused({ ALLOWED_ATTR: ['srcdoc'] }, 'sanitize.profile.ALLOWED_ATTR')
  // Forbidding them is fine.
  assert.ok(compileProfile({ FORBID_TAGS: ['script'], FORBID_ATTR: ['onclick'] }, 'x'))
})

test('options of DOMPurify that take a guard away or return no text are refused with a reason', () => {
  for (const key of [
    'SANITIZE_DOM',
    'SAFE_FOR_XML',
    'RETURN_DOM',
    'IN_PLACE',
    'WHOLE_DOCUMENT',
    'CUSTOM_ELEMENT_HANDLING',
  ]) {
    refused({ [key]: false }, `sanitize.profile.${key}`)
  }
  assert.throws(() => compileProfile({ ALOWED_TAGS: [] }, 'p'), /Did you mean `p\.ALLOWED_TAGS`/)
  refused({ KEEP_CONTENT: 'yes' }, 'sanitize.profile.KEEP_CONTENT')
  refused('Basic', 'sanitize.profile')
  refused(null, 'sanitize.profile')
})

test('a URL pattern with a memory, or one that lets script through, is refused', () => {
  refused({ ALLOWED_URI_REGEXP: /^https:/g }, 'sanitize.profile.ALLOWED_URI_REGEXP')
  refused({ ALLOWED_URI_REGEXP: /^https:/y }, 'sanitize.profile.ALLOWED_URI_REGEXP')
  refused({ ALLOWED_URI_REGEXP: /https?|script/ }, 'sanitize.profile.ALLOWED_URI_REGEXP')
  refused({ ALLOWED_URI_REGEXP: '^https:' }, 'sanitize.profile.ALLOWED_URI_REGEXP')
  assert.ok(compileProfile({ ALLOWED_URI_REGEXP: /^https:/i }, 'x'))
})

test('USE_PROFILES is checked, and not mixed with the lists it would silence', () => {
  refused({ USE_PROFILES: { xml: true } }, 'sanitize.profile.USE_PROFILES.xml')
  refused({ USE_PROFILES: { svg: 1 } }, 'sanitize.profile.USE_PROFILES.svg')
  refused({ USE_PROFILES: { html: true }, ALLOWED_TAGS: ['p'] }, 'sanitize.profile.USE_PROFILES')
  assert.ok(compileProfile({ USE_PROFILES: { html: true }, ADD_TAGS: ['x-y'] }, 'x'))
})

test('what was checked cannot be changed afterwards', () => {
  const list = ['p']
  const { config } = compileProfile({ ALLOWED_TAGS: list }, 'x')
  list.push('script')
  assert.deepEqual(config.ALLOWED_TAGS, ['p'])
})

// Each name by itself: a list that loses one of them is a guard that is gone, or an option that stopped to work.
const accepted: Readonly<Record<string, unknown>> = {
  ALLOWED_TAGS: ['p'],
  ALLOWED_ATTR: ['title'],
  ADD_TAGS: ['x-card'],
  ADD_ATTR: ['title'],
  FORBID_TAGS: ['p'],
  FORBID_ATTR: ['title'],
  FORBID_CONTENTS: ['p'],
  ADD_FORBID_CONTENTS: ['p'],
  ADD_URI_SAFE_ATTR: ['title'],
  ALLOW_ARIA_ATTR: true,
  ALLOW_DATA_ATTR: true,
  ALLOW_SELF_CLOSE_IN_ATTR: true,
  KEEP_CONTENT: true,
  SANITIZE_NAMED_PROPS: true,
  ALLOWED_URI_REGEXP: /^https:/i,
  USE_PROFILES: { html: true, svg: false, svgFilters: false, mathMl: false },
}
for (const [key, value] of Object.entries(accepted)) {
  test(`an own profile may have ${key}, of its own kind only`, () => {
    const { name, config } = compileProfile({ [key]: value }, 'x')
    assert.equal(name, 'own')
    assert.deepEqual(config, { [key]: value })
    assert.notEqual(config, accepted)
    for (const wrong of ['yes', 1, null, () => true]) refused({ [key]: wrong }, `sanitize.profile.${key}`)
  })
}

const withheld: readonly (readonly [reason: RegExp, ...keys: string[]])[] = [
  [
    /takes a guard of DOMPurify away/,
    'ALLOW_UNKNOWN_PROTOCOLS',
    'SANITIZE_DOM',
    'SAFE_FOR_XML',
    'CUSTOM_ELEMENT_HANDLING',
    'ADD_DATA_URI_TAGS',
  ],
  [/Only text leaves/, 'RETURN_DOM', 'RETURN_DOM_FRAGMENT', 'RETURN_TRUSTED_TYPE', 'IN_PLACE', 'TRUSTED_TYPES_POLICY'],
  [/Only fragments/, 'WHOLE_DOCUMENT', 'FORCE_BODY', 'NAMESPACE', 'PARSER_MEDIA_TYPE', 'ALLOWED_NAMESPACES'],
  [/disagree with the parser/, 'HTML_INTEGRATION_POINTS', 'MATHML_TEXT_INTEGRATION_POINTS'],
  [/template engine/, 'SAFE_FOR_TEMPLATES'],
]
for (const [reason, ...keys] of withheld) {
  for (const key of keys) {
    test(`an own profile may not have ${key}, and says why`, () => {
      assert.throws(() => compileProfile({ [key]: false }, 'x'), { code: 'SWS_BAD_OPTION', message: reason })
    })
  }
}

test('every element and attribute that runs, loads or re-reads is refused wherever it would be admitted', () => {
  const tags =
    'applet base embed frame frameset iframe link meta noembed noframes noscript object plaintext script selectedcontent xmp'
  for (const tag of tags.split(' ')) {
    for (const key of ['ALLOWED_TAGS', 'ADD_TAGS']) {
      assert.throws(() => compileProfile({ [key]: [tag.toUpperCase()] }, 'x'), {
        message: /runs or loads what it names/,
      })
    }
    // To forbid it, or what is in it, is always fine.
    for (const key of ['FORBID_TAGS', 'FORBID_CONTENTS', 'ADD_FORBID_CONTENTS']) compileProfile({ [key]: [tag] }, 'x')
  }
  for (const attr of [
    'onclick',
    'on',
    'ONLOAD',
    'srcdoc',
    'formaction',
    'is',
    'shadowroot',
    'shadowrootmode',
    'http-equiv',
  ]) {
    for (const key of ['ALLOWED_ATTR', 'ADD_ATTR', 'ADD_URI_SAFE_ATTR']) {
      assert.throws(() => compileProfile({ [key]: [attr] }, 'x'), { message: /runs or loads what it names/ })
    }
    compileProfile({ FORBID_ATTR: [attr] }, 'x')
  }
  // Near misses: names that only contain one of them.
  compileProfile({ ADD_ATTR: ['list', 'data-onclick', 'xsrcdoc', 'srcdocx', 'formactions', 'isx', 'http-equivx'] }, 'x')
})

test('a list holds names, and every one of them is looked at', () => {
  for (const list of [['p', 1], ['p', '*'], ['p', 'a b'], ['p', ''], ['p', 'a>'], ['-p'], ['p', null]]) {
    assert.throws(() => compileProfile({ ADD_TAGS: list }, 'x'), { message: /array of names, without wildcards/ })
  }
  compileProfile({ ADD_TAGS: ['#text', 'x-card', 'xlink:href', 'a_b', 'h1'] }, 'x')
})

test('an own pattern for URLs lets nothing that runs through, and remembers nothing', () => {
  for (const pattern of [/./, /^javascript:/, /^JavaScript:/, /^vbscript:/, /^data:/]) {
    assert.throws(() => compileProfile({ ALLOWED_URI_REGEXP: pattern }, 'x'), { message: /lets `.+` through/ })
  }
  for (const pattern of [/^https:/g, /^https:/y]) {
    assert.throws(() => compileProfile({ ALLOWED_URI_REGEXP: pattern }, 'x'), { message: /flags `g` and `y`/ })
  }
  assert.throws(() => compileProfile({ ALLOWED_URI_REGEXP: '^https:' }, 'x'), { message: /Write a regular expression/ })
})

test('USE_PROFILES has four flags, and stands alone', () => {
  assert.throws(() => compileProfile({ USE_PROFILES: true }, 'x'), { message: /\{ html: true \}/ })
  assert.throws(() => compileProfile({ USE_PROFILES: { html: 'yes' } }, 'x'), {
    message: /`x\.USE_PROFILES\.html`.*true or false/,
  })
  assert.throws(() => compileProfile({ USE_PROFILES: { htm: true } }, 'x'), { message: /`x\.USE_PROFILES\.htm`/ })
  for (const key of ['ALLOWED_TAGS', 'ALLOWED_ATTR']) {
    assert.throws(() => compileProfile({ USE_PROFILES: { html: true }, [key]: ['p'] }, 'x'), {
      message: /ADD_TAGS and ADD_ATTR/,
    })
  }
  compileProfile({ USE_PROFILES: { html: true }, ADD_TAGS: ['x-card'] }, 'x')
})

test('what basic and rich admit is exactly this', () => {
  const text = 'a b blockquote br code del em i ins li ol p pre s strong sub sup u ul'.split(' ')
  const page = 'caption dd dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr img table tbody td tfoot th thead tr'.split(' ')
  const [basic, rich] = [compileProfile('basic', 'x'), compileProfile('rich', 'x')]
  assert.deepEqual([basic.name, rich.name], ['basic', 'rich'])
  assert.deepEqual(basic.config.ALLOWED_TAGS, text)
  assert.deepEqual(basic.config.ALLOWED_ATTR, ['href'])
  assert.deepEqual(rich.config.ALLOWED_TAGS, [...text, ...page])
  assert.deepEqual(rich.config.ALLOWED_ATTR, [
    'href',
    'src',
    'alt',
    'title',
    'width',
    'height',
    'colspan',
    'rowspan',
    'scope',
  ])
  for (const { config } of [basic, rich]) {
    assert.deepEqual(config.ALLOWED_NAMESPACES, ['http://www.w3.org/1999/xhtml'])
    assert.deepEqual([config.ALLOW_ARIA_ATTR, config.ALLOW_DATA_ATTR], [false, false])
  }
})

test('what is no profile is told what one is', () => {
  for (const given of [undefined, null, 'strict', 1, [], () => ({})]) {
    assert.throws(() => compileProfile(given, 'x'), { message: /Write 'basic', 'rich', or an object/ })
  }
})
