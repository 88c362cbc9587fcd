import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Deadlines, type Due } from '../../src/ws/deadlines.ts'
import fc from '../harness/fast-check.ts'
import { until } from '../harness/until.ts'

class Waiting implements Due {
  standing: Due['standing'] = undefined
  until = 0
  expired = 0
  readonly id: number
  readonly told: (waiting: Waiting) => void

  constructor(id: number, told: (waiting: Waiting) => void = () => {}) {
    this.id = id
    this.told = told
  }

  outOfTime(): void {
    this.expired++
    this.told(this)
  }
}

const uptime = () => performance.now()
const here = (work: () => void) => work()

// Join, join again with another span, leave, leave again, in any order: who stands is who joined last and has not left, and
// each span has its own in order of arrival.
test('whoever joins and leaves in any order, the lines hold those who have not left', () => {
  const step = fc.record({ id: fc.nat(9), span: fc.constantFrom(50_000, 60_000, 70_000), leaves: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const deadlines = new Deadlines(uptime, here)
      const all = Array.from({ length: 10 }, (_, id) => new Waiting(id))
      const lines = new Map<number, number[]>()
      for (const { id, span, leaves } of steps) {
        for (const line of lines.values()) if (line.includes(id)) line.splice(line.indexOf(id), 1)
        const waiting = all[id] as Waiting
        if (leaves) deadlines.leave(waiting)
        else {
          deadlines.within(span, waiting)
          if (!lines.has(span)) lines.set(span, [])
          lines.get(span)?.push(id)
        }
        assert.deepEqual(
          deadlines.standing().map((due) => (due as Waiting).id),
          [...lines.values()].flat(),
        )
      }
      for (const waiting of all) deadlines.leave(waiting)
    }),
  )
})

test('each is told once, when its own time is over, and not before', async () => {
  const deadlines = new Deadlines(uptime, here)
  const told: [id: number, late: number][] = []
  const note = (waiting: Waiting) => told.push([waiting.id, uptime() - waiting.until])
  for (const [id, span] of [60, 20, 60, 20, 40].entries()) deadlines.within(span, new Waiting(id, note))
  const gone = new Waiting(5, note)
  deadlines.within(20, gone)
  deadlines.leave(gone)
  // One that joins when the line has waited for a while has all of its time.
  await wait(30)
  deadlines.within(20, new Waiting(6, note))
  await until(() => deadlines.standing().length === 0, 'nobody stands any more')
  await wait(100)
  assert.deepEqual(told.map(([id]) => id).sort(), [0, 1, 2, 3, 4, 6])
  for (const [id, late] of told) assert.ok(late >= 0, `${id} was told ${-late} ms too early`)
  assert.deepEqual(deadlines.standing(), [])
})

test('one that joins again while it is told has its time again', async () => {
  const deadlines = new Deadlines(uptime, here)
  const twice = new Waiting(0, (waiting) => {
    if (waiting.expired < 2) deadlines.within(10, waiting)
  })
  deadlines.within(10, twice)
  await until(() => deadlines.standing().length === 0, 'it does not stand any more')
  await wait(100)
  assert.equal(twice.expired, 2)
})
