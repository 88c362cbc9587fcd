import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSweep, type Swept, type Tick } from '../../src/connection/sweep.ts'

const now = (work: () => void) => work()
const failed = (error: unknown) => {
  throw error
}

test('everything is visited once a tick, what was deleted is not, and the last one stops the clock', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const visits: string[] = []
  let also = 0
  const sweep = createSweep<Swept>(
    100,
    () => 7,
    () => also++,
    now,
  )
  const item = (name: string): Swept => ({ sweep: ({ uptime }) => visits.push(`${name} ${uptime}`), failed })
  const [a, b] = [item('a'), item('b')]
  t.mock.timers.tick(1_000)
  assert.equal(also, 0)
  sweep.add(a)
  sweep.add(b)
  assert.equal(sweep.size, 2)
  t.mock.timers.tick(99)
  assert.deepEqual(visits, [])
  t.mock.timers.tick(1)
  assert.deepEqual([visits, also], [['a 7', 'b 7'], 1])
  sweep.delete(a)
  sweep.delete(a)
  t.mock.timers.tick(100)
  assert.deepEqual(visits.at(-1), 'b 7')
  assert.equal(visits.length, 3)
  sweep.delete(b)
  t.mock.timers.tick(1_000)
  assert.deepEqual([visits.length, also, sweep.size], [3, 2, 0])
  sweep.add(a)
  t.mock.timers.tick(100)
  assert.equal(visits.length, 4)
  sweep.close()
  t.mock.timers.tick(1_000)
  assert.equal(visits.length, 4)
})

test('an item that leaves during the visit is not visited again, and the others are', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const visits: string[] = []
  const sweep = createSweep<Swept>(
    100,
    () => 0,
    () => {},
    now,
  )
  const second: Swept = { sweep: () => visits.push('second'), failed }
  const first: Swept = {
    failed,
    sweep() {
      visits.push('first')
      sweep.delete(first)
      sweep.delete(second)
    },
  }
  const third: Swept = { sweep: () => visits.push('third'), failed }
  for (const each of [first, second, third]) sweep.add(each)
  t.mock.timers.tick(200)
  assert.deepEqual(visits, ['first', 'third', 'third'])
})

test('C6 a pause of the loop counts as two visits, and the visit after it is late, never two in a row', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let uptime = 50
  const ticks: Tick[] = []
  const sweep = createSweep<Swept>(
    100,
    () => uptime,
    () => {},
    now,
  )
  sweep.add({ sweep: (tick) => ticks.push(tick), failed })
  for (const passed of [100, 200, 9_000, 9_000, 201, 100]) {
    uptime += passed
    t.mock.timers.tick(100)
  }
  assert.deepEqual(
    ticks.map(({ served, late }) => [served, late]),
    [
      [100, false],
      [300, false],
      [500, true],
      [700, false],
      [900, true],
      [1_000, false],
    ],
  )
  assert.equal(ticks.at(-1)?.uptime, uptime)
})

test('the time in which there was nobody to visit is no pause', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let uptime = 0
  const ticks: Tick[] = []
  const sweep = createSweep<Swept>(
    100,
    () => uptime,
    () => {},
    now,
  )
  const item: Swept = { sweep: (tick) => ticks.push(tick), failed }
  uptime = 1_000_000
  sweep.add(item)
  uptime += 100
  t.mock.timers.tick(100)
  assert.deepEqual(ticks, [{ uptime, served: 100, late: false, every: 100 }])
})

// From a timer nobody catches it: the process would end, and every socket behind this one would miss its visit.
test('C2 a visit that throws is told to whom it was paid, and the others are visited', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const told: unknown[] = []
  let also = 0
  const sweep = createSweep<Swept>(
    100,
    () => 0,
    () => also++,
    now,
  )
  const broken = new RangeError('a getter of somebody')
  sweep.add({
    sweep() {
      throw broken
    },
    failed: (error) => told.push(error),
  })
  let visits = 0
  sweep.add({ sweep: () => visits++, failed })
  t.mock.timers.tick(200)
  assert.deepEqual([told, visits, also], [[broken, broken], 2, 2])
})

test('what is watched is visited eight times as often, the others and the clock as before', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let uptime = 0
  let also = 0
  const sweep = createSweep<Swept>(
    800,
    () => uptime,
    () => also++,
    now,
  )
  const seen: { readonly one: Tick[]; readonly other: Tick[] } = { one: [], other: [] }
  const one: Swept = { sweep: (tick) => seen.one.push(tick), failed }
  const other: Swept = { sweep: (tick) => seen.other.push(tick), failed }
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      uptime += 50
      t.mock.timers.tick(50)
    }
  }
  sweep.add(one)
  sweep.add(other)
  pass(1_600)
  sweep.watch(one)
  pass(1_600)
  assert.deepEqual([seen.one.length, seen.other.length, also], [18, 4, 4])
  assert.deepEqual([seen.one.at(-1)?.served, seen.other.at(-1)?.uptime], [3_200, 3_200])
  assert.ok(seen.one.every(({ late }) => !late))
  sweep.rest(one)
  pass(1_600)
  assert.deepEqual([seen.one.length, seen.other.length, also], [20, 6, 6])
  // What has gone is watched by nobody.
  sweep.delete(other)
  sweep.watch(other)
  pass(800)
  assert.deepEqual([seen.one.length, seen.other.length], [21, 6])
})

test('C6 whoever begins and goes, again and again, keeps nobody from a visit', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let uptime = 0
  const sweep = createSweep<Swept>(
    800,
    () => uptime,
    () => {},
    now,
  )
  const visits: Tick[] = []
  sweep.add({ sweep: (tick) => visits.push(tick), failed })
  for (let count = 0; count < 160; count++) {
    const hasty: Swept = { sweep: () => {}, failed }
    sweep.add(hasty)
    sweep.watch(hasty)
    uptime += 25
    t.mock.timers.tick(25)
    if (count % 2 === 0) sweep.rest(hasty)
    sweep.delete(hasty)
    uptime += 25
    t.mock.timers.tick(25)
  }
  assert.ok(visits.length >= 8, `${visits.length} visits in 10 rounds`)
  assert.ok(visits.every(({ late }) => !late))
})

test('C6 after a pause all are visited late, also while one is watched, and judged at the next look', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let uptime = 0
  const sweep = createSweep<Swept>(
    800,
    () => uptime,
    () => {},
    now,
  )
  const late: (readonly [string, boolean])[] = []
  const one: Swept = { sweep: (tick) => late.push(['one', tick.late]), failed }
  sweep.add(one)
  sweep.add({ sweep: (tick) => late.push(['other', tick.late]), failed })
  sweep.watch(one)
  uptime += 9_000
  t.mock.timers.tick(100)
  uptime += 100
  t.mock.timers.tick(100)
  assert.deepEqual(late, [
    ['one', true],
    ['other', true],
    ['one', false],
  ])
})
