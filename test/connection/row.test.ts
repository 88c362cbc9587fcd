import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Row } from '../../src/row.ts'

const members = (...names: string[]) => names.map((name) => ({ name }))

test('stands in order of arrival, once each, and gives back whoever leaves', () => {
  const [a, b, c] = members('a', 'b', 'c') as [object, object, object]
  const row = new Row()
  for (const each of [a, b, c, b]) row.add(each)
  assert.deepEqual([[...row], row.size, row.first], [[a, b, c], 3, a])
  assert.deepEqual([row.delete(b), row.delete(b), row.has(b)], [true, false, false])
  row.add(b)
  assert.deepEqual([...row], [a, c, b])
  for (const each of [a, b, c]) row.delete(each)
  assert.deepEqual([[...row], row.size, row.first], [[], 0, undefined])
})

test('one member stands in several rows', () => {
  const [a] = members('a') as [object]
  const [one, other] = [new Row(), new Row()]
  one.add(a)
  other.add(a)
  one.delete(a)
  assert.deepEqual([one.has(a), other.has(a)], [false, true])
})

// A visit may end the socket whose turn it is, the next one, and all the others; whoever comes meanwhile has its turn next time.
test('who leaves before its turn has none, and who comes meanwhile waits', () => {
  const [a, b, c, d, e] = members('a', 'b', 'c', 'd', 'e') as [object, object, object, object, object]
  const row = new Row()
  for (const each of [a, b, c, e]) row.add(each)
  const visited = []
  for (const each of row) {
    visited.push(each)
    if (each !== a) continue
    // The last one still has somebody in front of it.
    row.delete(e)
    row.delete(a)
    row.delete(b)
    row.add(d)
  }
  assert.deepEqual(visited, [a, c])
  assert.deepEqual([...row], [c, d])
})
