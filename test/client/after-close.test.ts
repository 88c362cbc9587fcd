import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterClose, meaningOf } from '../../src/client/after-close.ts'
import { CloseCode } from '../../src/errors.ts'
import { textOf } from '../house/source-files.ts'

// One table, two pages: what the client does is what they say.

/** Cells of the rows whose first cell is a close code. */
function rowsOf(page: string): [code: number, last: string][] {
  const section =
    textOf(page)
      .split('## ')
      .find((part) => /^(?:Close codes|A closed socket)\n/.test(part)) ?? ''
  return section
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, code = '']) => /^\d{4}$/.test(code))
    .map((cells) => [Number(cells[1]), cells[3] ?? ''])
}

test('docs/protocol.md has, for each code, what the client does', () => {
  const words = {
    yes: 'reconnect',
    'yes, after a random pause': 'reconnect',
    'yes, later': 'later',
    no: 'stop',
    'after authenticating again': 'sign in',
  }
  const rows = rowsOf('docs/protocol.md')
  assert.deepEqual(
    rows.map(([code, said]) => [code, new Map(Object.entries(words)).get(said)]),
    Object.entries(afterClose).map(([code, meaning]) => [Number(code), meaning]),
  )
})

test('docs/troubleshooting.md tells nobody to reconnect who must not, and everybody who may', () => {
  for (const [code, advice] of rowsOf('docs/troubleshooting.md').filter(([code]) =>
    Object.values(CloseCode).includes(code as CloseCode),
  )) {
    const comesBack = meaningOf(code) !== 'stop'
    // Whose fault it is comes first where there is something to mend.
    if (code !== CloseCode.InternalError)
      assert.equal(/(?<!not )reconnect/.test(advice), comesBack, `${code}: ${advice}`)
  }
})

test('of every other code only the lost connection brings the client back', () => {
  const known = new Set<number>(Object.values(CloseCode))
  const others = Array.from({ length: 5_000 }, (_, code) => code).filter((code) => !known.has(code))
  assert.deepEqual(
    others.filter((code) => meaningOf(code) !== 'stop'),
    [1006, 1014],
  )
  assert.equal(meaningOf(Number.NaN), 'stop')
})

test('the application says what its own codes mean, and nothing of ours', () => {
  const own = { 4001: 'reconnect', 1008: 'reconnect', 3000: 'stop' } as const
  assert.equal(meaningOf(4001, own), 'reconnect')
  assert.equal(meaningOf(1008, own), 'stop')
  assert.equal(meaningOf(3000, own), 'sign in')
  assert.equal(meaningOf('constructor' as never, {}), 'stop')
})
