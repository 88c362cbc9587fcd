import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicSurface } from './api.ts'
import { errorsPage, rowsOf, throwersOf, writtenErrors } from './errors.ts'
import { textOf } from './source-files.ts'

const page = textOf(errorsPage)
const surface = publicSurface()

/** Reaches the callback of `send` and nobody else. */
const onlyToCallbacks = ['SWS_CLOSED']

function declaredCodes(): string[] {
  const union = surface.exported.find(({ name }) => name === 'SecureWsErrorCode')?.signature ?? ''
  return [...union.matchAll(/'(SWS_\w+)'/g)].map(([, code = '']) => code)
}

test('each code of a SecureWsError has one row on docs/errors.md, and no other code has', () => {
  const rows = [...page.matchAll(/^\| `(SWS_\w+)` \|/gm)].map(([, code]) => code)
  assert.ok(rows.length > 10)
  assert.deepEqual(rows.sort(), declaredCodes().sort())
})

test('docs/errors.md names the calls that throw a code, as their docstrings do', () => {
  assert.equal(page, writtenErrors(page, throwersOf(surface)), 'run `npm run docs`')
})

test('each code is behind `@throws` of something that a reader calls, and no docstring names another one', () => {
  const throwers = throwersOf(surface)
  const codes = declaredCodes()
  assert.deepEqual(
    codes.filter((code) => !throwers.has(code) && !onlyToCallbacks.includes(code)),
    [],
  )
  assert.deepEqual(
    [...throwers.keys()].filter((code) => !codes.includes(code)),
    [],
  )
})

test('each row says why, and what to write', () => {
  for (const [code, row] of rowsOf(page)) {
    const [, , , why = '', what = ''] = row.split(' | ').length > 3 ? ['', ...row.split(' | ')] : []
    assert.ok(why.length > 10 && what.length > 10, code)
  }
})
