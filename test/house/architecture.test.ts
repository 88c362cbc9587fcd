import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { admission } from '../../src/admission/admission.ts'
import { handshakeRefusals } from '../../src/errors.ts'
import { filesBelow, root, textOf } from './source-files.ts'

// docs/architecture.md names files and what is in them. Files move: the page moves with them, or this fails.

const page = textOf('docs/architecture.md')
const source = filesBelow('src')

/** Names behind a file, `src/x.ts` (`one`, `other`), that the file does not declare; and files that are not there. */
function untrueIn(text: string, read: (path: string) => string | undefined): string[] {
  const claims = [...text.matchAll(/`(src\/[\w/-]+\.ts)`(?:\s+\(((?:`\w+`(?:, )?)+)\))?/g)]
  return claims.flatMap(([, path = '', names = '']) => {
    const code = read(path)
    if (code === undefined) return [`${path} is not there`]
    return [...names.matchAll(/`(\w+)`/g)]
      .filter(([, name]) => !new RegExp(`\\b(?:function|class|const|interface|type) ${name}\\b`).test(code))
      .map(([, name]) => `${path} declares no ${name}`)
  })
}

const fromTree = (path: string) => (existsSync(join(root, path)) ? textOf(path) : undefined)

test('each file that docs/architecture.md names is there, and declares what the page says', () => {
  assert.ok((page.match(/`src\/[\w/-]+\.ts`/g) ?? []).length > 60)
  assert.deepEqual(untrueIn(page, fromTree), [])
})

test('each folder and each file beside them has one row, and no other has', () => {
  const rows = [...page.matchAll(/^\| `(src\/[\w-]+(?:\.ts)?)` \|/gm)].map(([, path]) => path)
  const tree = new Set(source.map((path) => path.split('/').slice(0, 2).join('/')))
  assert.deepEqual(rows.sort(), [...tree].sort())
})

test('the steps of a message stand on the page in the order of the code', () => {
  const inOrder = (code: string, names: readonly string[], start: string) => {
    const steps = textOf(code)
    const list = steps.slice(steps.indexOf(start))
    const at = names.map((name) => list.indexOf(name))
    assert.ok(
      at.every((position) => position !== -1),
      `${code}: ${names}`,
    )
    assert.deepEqual(
      [...at].sort((a, b) => a - b),
      at,
      code,
    )
  }
  inOrder(
    'src/inbound/inbound.ts',
    [
      'refuseFastType(',
      'schema.refuse(',
      'refuseUsedNonce',
      'refuseStaleSession(',
      'sanitizeMessage(',
      'refuseUnauthorized(',
    ],
    'const steps',
  )
})

test('docs/lifecycle.md has a row for each step of a handshake, in the order of the list', () => {
  const lifecycle = textOf('docs/lifecycle.md')
  const table = lifecycle.slice(lifecycle.indexOf('| step |'), lifecycle.indexOf('## The socket'))
  const rows = [...table.matchAll(/^\| ([^|]+) \| .+ \| (.+) \|$/gm)].slice(1)
  assert.deepEqual(
    rows.map(([, name]) => name?.replaceAll('`', '')),
    admission.map(({ name }) => name),
  )
  const codes = rows.flatMap(([, , code = '']) => [...code.matchAll(/`(SWS_\w+)`/g)].map(([, each]) => each))
  assert.ok(codes.length >= rows.length)
  assert.deepEqual(
    codes.filter((code) => code === undefined || !Object.hasOwn(handshakeRefusals, code)),
    [],
  )
})

test('a file that moved and a name that went are seen', () => {
  const read = (path: string) => (path === 'src/a.ts' ? 'export function here(): void {}' : undefined)
  assert.deepEqual(untrueIn('`src/a.ts` (`here`), `src/a.ts` (`here`, `gone`), `src/b.ts`', read), [
    'src/a.ts declares no gone',
    'src/b.ts is not there',
  ])
})
