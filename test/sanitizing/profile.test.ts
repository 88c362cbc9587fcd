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
