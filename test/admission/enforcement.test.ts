import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEnforcement, everythingEnforced, resolveEnforce } from '../../src/admission/enforcement.ts'

const today = Date.parse('2026-11-29T12:00:00Z')
const resolve = (given: unknown, base = everythingEnforced) => resolveEnforce(given, 'enforce', today, base)
const enforcementAt = (given: object, at: string) => createEnforcement(resolve(given), () => Date.parse(at))

test('a rule reports until its day begins in UTC, or its time has come, and not a millisecond longer', () => {
  const given = { origin: 'report', until: '2027-03-01' }
  assert.equal(enforcementAt(given, '2027-02-28T23:59:59.999Z').reports('origin'), true)
  assert.equal(enforcementAt(given, '2027-03-01T00:00:00Z').reports('origin'), false)
  assert.equal(enforcementAt(given, '2027-02-28T23:59:59.999Z').reports('host'), false)
  const timed = { host: 'report', until: '2027-03-01T09:00:00+01:00' }
  assert.equal(enforcementAt(timed, '2027-03-01T07:59:59Z').reports('host'), true)
  assert.equal(enforcementAt(timed, '2027-03-01T08:00:00Z').reports('host'), false)
})

test('nothing said is everything enforced', () => {
  for (const given of [undefined, {}, { origin: 'enforce' }, { until: '2027-03-01' }]) {
    const { reports, explain, loosened } = createEnforcement(resolve(given), () => today)
    assert.equal(reports('origin'), false)
    assert.equal(explain(), undefined)
    assert.deepEqual(loosened, [])
  }
})

test('a route says anew what it names, and inherits the rest with its end', () => {
  const ofPlugin = resolve({ origin: 'report', session: 'report', until: '2027-03-01' })
  const route = createEnforcement(resolve({ session: 'enforce', host: 'report' }, ofPlugin), () => today)
  assert.deepEqual(route.explain(), { report: ['host', 'origin'], until: '2027-03-01T00:00:00.000Z' })
  const sooner = createEnforcement(resolve({ until: '2026-12-01' }, ofPlugin), () => today)
  assert.equal(sooner.explain()?.until, '2026-12-01T00:00:00.000Z')
})

// A restart after the end must bring the application up, and every rule with it.
test('an end that has passed is no mistake, and reports nothing', () => {
  const { reports, explain, loosened } = enforcementAt({ origin: 'report', until: '2025-01-01' }, '2026-11-29')
  assert.deepEqual([reports('origin'), explain(), loosened], [false, undefined, []])
})

const wrong: readonly (readonly [given: unknown, path: string, advice: RegExp])[] = [
  [{ origin: 'report' }, 'enforce.until', /from then on every rule refuses/],
  [{ origin: 'report', until: '9999-12-31' }, 'enforce.until', /within a year/],
  [{ origin: 'report', until: '2027-02-31' }, 'enforce.until', /does not exist/],
  [{ origin: 'report', until: '2027-13-01' }, 'enforce.until', /does not exist/],
  [{ origin: 'report', until: '2027-03-01T25:00:00Z' }, 'enforce.until', /does not exist/],
  [{ origin: 'report', until: '2027-03-01T09:00:00' }, 'enforce.until', /with its zone/],
  [{ origin: 'report', until: 'soon' }, 'enforce.until', /Write a day/],
  [{ origin: 'report', until: 1_800_000_000_000 }, 'enforce.until', /Write a day/],
  [{ origin: 'report', until: new Date(today) }, 'enforce.until', /Write a day/],
  [{ origin: true, until: '2027-03-01' }, 'enforce.origin', /'report' or 'enforce'/],
  [{ origin: 'off', until: '2027-03-01' }, 'enforce.origin', /'report' or 'enforce'/],
  [{ orgin: 'report', until: '2027-03-01' }, 'enforce.orgin', /origin/],
  // What is no handshake, or cannot be served, is not a rule to try out.
  [{ shape: 'report', until: '2027-03-01' }, 'enforce.shape', /./],
  [{ available: 'report', until: '2027-03-01' }, 'enforce.available', /./],
  ['report', 'enforce', /Write an object/],
  [null, 'enforce', /Write an object/],
]
for (const [given, path, advice] of wrong) {
  test(`refused at the start: ${JSON.stringify(given)}`, () => {
    assert.throws(
      () => resolve(given),
      (error: Error) => {
        assert.equal(Reflect.get(error, 'code'), 'SWS_BAD_OPTION')
        assert.ok(error.message.includes(`\`${path}\``), error.message)
        assert.match(error.message, advice)
        return true
      },
    )
  })
}
