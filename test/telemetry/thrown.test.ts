import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createThrownLog, logThrown, nameOfThrown } from '../../src/telemetry/thrown.ts'

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
      if (Reflect.get(Object(Reflect.get(fields, 'err')), 'message') === 'poison') throw new Error('cannot serialize')
      lines.push(fields)
    },
  }
  logThrown(log, new RangeError('poison'), { socket: 'a' }, 'text')
  logThrown(log, 'hunter2', { socket: 'b' }, 'text')
  logThrown(log, null, { socket: 'c' }, 'text')
  assert.deepEqual(lines, [
    { thrown: 'RangeError', socket: 'a' },
    // A string may be anything, and has no stack that would be worth it.
    { err: 'no Error, but a value of type string', socket: 'b' },
    { err: 'no Error, but null', socket: 'c' },
  ])
})

test('a store that is down makes a few lines a second, and the next one says how many there were', (t) => {
  let clock = 1_000
  t.mock.method(performance, 'now', () => clock)
  const lines: { readonly suppressed?: number; readonly text: string }[] = []
  const logger = {
    info: () => assert.fail('info'),
    warn: () => assert.fail('warn'),
    error: (fields: object, text: string) => lines.push({ ...fields, text }),
  }
  const thrown = createThrownLog(logger, undefined, 2)
  for (let n = 0; n < 10; n++) thrown({ by: '`load`', error: new Error('down') })
  thrown({ by: '`authorize`', error: new Error('other') })
  clock += 1_000
  thrown({ by: '`load`', error: new Error('down') })
  assert.deepEqual(
    lines.map(({ text, suppressed }) => [text.slice(19), suppressed]),
    [
      ['`load` threw', undefined],
      ['`load` threw', undefined],
      ['`authorize` threw', undefined],
      ['`load` threw', 8],
    ],
  )
})
