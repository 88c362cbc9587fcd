import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logThrown, nameOfThrown } from '../../src/telemetry/thrown.ts'

test('MS-15 anything that was thrown has a name, and finding it never throws', () => {
  const trap = new Proxy(
    {},
    {
      getPrototypeOf() {
        throw new Error('looked at')
      },
    },
  )
  const poisoned = Object.defineProperty(new Error('x'), 'name', {
    get() {
      throw new Error('looked at')
    },
  })
  const odd = Object.assign(new Error('x'), { name: { toString: () => assert.fail('read') } })
  const named = [new RangeError('x'), null, undefined, 'text', 1, Symbol('x'), trap, poisoned, odd].map(nameOfThrown)
  assert.deepEqual(named, [
    'RangeError',
    'object',
    'undefined',
    'string',
    'number',
    'symbol',
    'object',
    'object',
    'object',
  ])
})

test('MS-15 an error that the logger cannot read is logged by its name', () => {
  const lines: object[] = []
  const log = {
    info: () => assert.fail('info'),
    warn: () => assert.fail('warn'),
    error(fields: object) {
      if ('err' in fields && fields.err === 'poison') throw new Error('cannot serialize')
      lines.push(fields)
    },
  }
  logThrown(log, 'poison', { socket: 'a' }, 'text')
  logThrown(log, 'fine', { socket: 'b' }, 'text')
  assert.deepEqual(lines, [
    { thrown: 'string', socket: 'a' },
    { err: 'fine', socket: 'b' },
  ])
})
