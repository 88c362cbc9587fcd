import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloseCode, handshakeRefusals, messageRefusals } from '../../src/errors.ts'
import { textOf } from './source-files.ts'

// The page and the code, held against each other in both directions: a code without a row helps nobody, a row without a code
// describes another program.

const page = textOf('docs/troubleshooting.md')

/** The rows of the table below a heading, each as its cells. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(section, heading)
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('|--'))
    .slice(1)
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))
}

const codeIn = (cell = '') => /`(SWS_\w+)`/.exec(cell)?.[1]

test('each refusal of a handshake has one row, with its status, why and what to do; and no other code has', () => {
  const rows = rowsBelow('A refused handshake')
  assert.deepEqual(rows.map(([, code]) => codeIn(code)).sort(), Object.keys(handshakeRefusals).sort())
  for (const [status = '', code = '', why = '', what = ''] of rows) {
    const { status: expected } = handshakeRefusals[codeIn(code) as keyof typeof handshakeRefusals]
    assert.ok(status.split(', ').includes(String(expected)), code)
    assert.ok(why.length > 10 && what.length > 10, code)
  }
})

test('each refusal of a message has one row, and no other code has', () => {
  const rows = rowsBelow('A refused message')
  assert.deepEqual(rows.map(([code]) => codeIn(code)).sort(), [...messageRefusals].sort())
})

test('each close code has a row, and beside them only what every WebSocket has', () => {
  const rows = rowsBelow('A closed socket').flatMap(([codes = '']) => codes.split(', ').map(Number))
  assert.deepEqual(
    rows.sort((a, b) => a - b),
    [1000, 1005, 1006, ...Object.values(CloseCode)].sort((a, b) => a - b),
  )
})

test('each fault of the bus has a row, and no other has', () => {
  const named = [...textOf('src/relay/fault.ts').matchAll(/^ {4}name: '([^']+)'/gm)].map((match) => match[1])
  assert.ok(named.length > 5)
  const rows = rowsBelow('The bus is away').flatMap(([names = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map((match) => match[1]),
  )
  assert.deepEqual(rows.sort(), [...named, 'away'].sort())
})

test('the header of the code is the one that the page names', () => {
  assert.match(textOf('src/http/refusal.ts'), /codeHeader = 'secure-ws-code'/)
  assert.match(page, /header `secure-ws-code`/)
})
