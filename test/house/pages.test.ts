import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CloseCode, handshakeRefusals, messageRefusals } from '../../src/errors.ts'
import { defaultLimits, resolveRouteLimits } from '../../src/options/limits.ts'
import { resolveOptions, routeKeys } from '../../src/options/options.ts'
import { bearers, names, rowsOf } from './assurance.ts'
import { pages, root, textOf } from './source-files.ts'

test('every file that a page names is there', () => {
  const missing = pages.flatMap((page) => {
    const text = textOf(page)
    const named = [...text.matchAll(/(?<![\w/.-])((?:src|test|demo|bench|docs|\.github|\.ci)\/[\w./-]*\w)/g)]
    const linked = [...text.matchAll(/\]\((?!https?:|#|\.\.\/\.\.)([^)#]+)/g)].map((match) => ({
      1: join(page.includes('/') ? 'docs' : '', match[1] ?? ''),
    }))
    return [...named, ...linked].map((match) => match[1] ?? '').filter((path) => !existsSync(join(root, path)))
  })
  assert.deepEqual(missing, [])
})

// A row that names a test in which the requirement does not occur promises what nobody looks at.
test('every test that docs/assurance.md names bears the requirement', () => {
  const rows = rowsOf(textOf('docs/assurance.md'))
  assert.ok(rows.some(({ tests }) => tests.length > 0))
  const wrong = rows.flatMap(({ id, tests }) =>
    tests.filter((path) => !existsSync(join(root, path)) || !names(textOf(path), id)).map((path) => `${id}: ${path}`),
  )
  assert.deepEqual(wrong, [], 'run `node test/house/assurance.ts`')
})

test('every attack that a test names has its row', () => {
  const ids = new Set(rowsOf(textOf('docs/assurance.md')).map(({ id }) => id))
  const unknown = bearers().flatMap((path) =>
    [...textOf(path).matchAll(/\b(?:FR|RS|MS|SE|OU|BR|LG|CS)-\d+\b/g)].map(([id]) => id).filter((id) => !ids.has(id)),
  )
  assert.deepEqual([...new Set(unknown)], [])
})

test('near misses of ids are told apart', () => {
  assert.ok(names('CS-1 only', 'CS-1') && names('ASVS 1.2.9.', '1.2.9'))
  assert.ok(!names('CS-19 only', 'CS-1') && !names('11.2.9', '1.2.9') && !names('1.2.9.1', '1.2.9'))
})

// The errors name what exists; so this list cannot be forgotten when an option is added.
test('docs/options.md describes every option and every limit', () => {
  const page = textOf('docs/options.md')
  const known = (options: object): string[] => {
    try {
      resolveOptions({ authenticate: false, ...options }, Date.now())
    } catch (error) {
      const list = /Known here: ([^.]*)\./.exec(String(error))?.[1]
      if (list !== undefined) return list.split(', ')
    }
    throw new Error('an unknown option was accepted')
  }
  const unknown = { zzzzzzzzzzzzzzz: 1 }
  const options = [...known(unknown), ...routeKeys].filter((key) => !['limits', 'session'].includes(key))
  const session = known({ session: unknown }).map((key) => `session.${key}`)
  const limits = Object.keys(defaultLimits)
  const sanitize = known({ sanitize: unknown })
  const headed = [...page.matchAll(/^### (.*)$/gm)].flatMap(([, names = '']) => [...names.matchAll(/`([\w.]+)`/g)])
  assert.deepEqual(
    headed.map(([, name = '']) => name).filter((name) => ![...options, ...session].includes(name)),
    [],
    'no such option',
  )
  assert.ok(options.length > 10 && session.length > 1 && limits.length > 10 && sanitize.length > 3)
  assert.deepEqual(
    [
      ...[...options, ...session].filter((key) => !new RegExp(`^### .*\`${key}\``, 'm').test(page)),
      ...limits.filter((key) => !page.includes(`| \`${key}\``)),
      ...sanitize.filter((key) => !page.includes(`${key}: `) && !page.includes(`\`${key}\``)),
    ],
    [],
  )
})

/** A value as the page writes it: `1,000` in a table, `{ every: 1_000 }` in code. */
function asWritten(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US')
  return `\`{ ${Object.entries(Object(value))
    .map(([key, each]) => `${key}: ${asCode(each)}`)
    .join(', ')} }\``
}

function asCode(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en-US').replaceAll(',', '_') : `'${value}'`
}

test('docs/options.md has the default of each limit, and a mark on those of the whole server; and no other limit', () => {
  const isOfServer = (key: string) => {
    try {
      resolveRouteLimits({ [key]: Reflect.get(defaultLimits, key) }, 'limits', defaultLimits)
      return false
    } catch {
      return true
    }
  }
  const rows = [...textOf('docs/options.md').matchAll(/^\| `(\w+)`( \*)? \| ([\d,]+|`\{[^|]*\}`) \|/gm)]
  assert.deepEqual(
    rows.map(([, key, mark, value]) => [key, mark !== undefined, value]).sort(),
    Object.entries(defaultLimits)
      .map(([key, value]) => [key, isOfServer(key), asWritten(value)])
      .sort(),
  )
})

test('docs/options.md has the default of each option that is a plain value', () => {
  const { admission, session, ...rest } = resolveOptions({ authenticate: false }, Date.now())
  const inForce: Record<string, unknown> = { ...rest, ...admission, ...session }
  const sections = textOf('docs/options.md').split(/^### /m).slice(1)
  const compared = sections.flatMap((text) => {
    const name = /^`(?:session\.)?(\w+)`\n/.exec(text)?.[1] ?? ''
    const value = inForce[name]
    if (!['string', 'number', 'boolean'].includes(typeof value)) return []
    return [
      [
        name,
        /^- \*\*Default:\*\* `([^`]*)`/m.exec(text)?.[1],
        typeof value === 'boolean' ? String(value) : asCode(value),
      ],
    ]
  })
  assert.ok(compared.length > 8)
  assert.deepEqual(
    compared.filter(([, written, expected]) => written !== expected),
    [],
  )
})

test('docs/protocol.md lists every code', () => {
  const page = textOf('docs/protocol.md')
  const codes = [...Object.keys(handshakeRefusals), ...messageRefusals, ...Object.values(CloseCode)]
  assert.deepEqual(
    codes.filter((code) => !page.includes(`\`${code}\``) && !page.includes(`| ${code} |`)),
    [],
  )
  for (const [code, { status }] of Object.entries(handshakeRefusals)) {
    assert.match(page, new RegExp(`^\\| [\\d, ]*\\b${status}\\b.*\`${code}\``, 'm'))
  }
})
