import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closed, closing, opened, opening, type Phase } from '../../src/connection/phase.ts'

const open = opened(opening)

test('a connection opens once, and goes one way', () => {
  assert.deepEqual(open, { is: 'open', ended: false })
  assert.equal(opened(open), open)
  for (const ended of [closing(opening, 1000), closing(open, 3000), closed(open, 1006)])
    assert.equal(opened(ended), ended)
})

test('the code that began the end stays, whoever comes later', () => {
  const end = closing(open, 3000)
  assert.equal(closing(end, 1012), end)
  assert.deepEqual(closed(end, 1006), { is: 'closed', ended: true, code: 3000 })
  assert.deepEqual(closed(open, 1006), { is: 'closed', ended: true, code: 1006 })
  assert.equal(closing(closed(open, 1006), 1000).is, 'closed')
})

test('only what is closing or closed has ended', () => {
  const phases: readonly Phase[] = [opening, open, closing(open, 1000), closed(open, 1000)]
  assert.deepEqual(
    phases.map(({ ended }) => ended),
    [false, false, true, true],
  )
})
