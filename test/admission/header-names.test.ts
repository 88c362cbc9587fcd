import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readHandshake } from '../../src/admission/handshake-request.ts'
import fc from '../harness/fast-check.ts'

// The names are looked up as they are mostly spelt; this holds them against the plain way, lower case and a comparison.

const once = {
  host: 'host',
  origin: 'origin',
  upgrade: 'upgrade',
  'sec-websocket-version': 'version',
  'sec-websocket-key': 'key',
  'content-length': 'contentLength',
  'transfer-encoding': 'transferEncoding',
  'sec-fetch-mode': 'fetchMode',
  'sec-fetch-site': 'fetchSite',
} as const

const name = fc
  .constantFrom(
    ...Object.keys(once),
    'connection',
    'forwarded',
    'x-forwarded-for',
    'sec-fetch-dest',
    'cookie',
    '__proto__',
  )
  .chain((lower) => fc.mixedCase(fc.constant(lower)))
const line = fc.tuple(name, fc.constantFrom('a', 'b', 'websocket', ''))

test('a header is read whatever the case of its name, the first one counts, and the second is noticed', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const facts = readHandshake(
        { method: 'GET', headers: {}, rawHeaders: lines.flat() },
        { trusted: false, address: undefined },
      )
      const valuesOf = (wanted: string) =>
        lines.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value)
      for (const [header, fact] of Object.entries(once)) assert.equal(facts[fact], valuesOf(header)[0], header)
      const connection = valuesOf('connection')
      assert.equal(facts.connection, connection.length === 0 ? undefined : connection.join(', '))
      assert.equal(facts.forwarded, valuesOf('forwarded').length + valuesOf('x-forwarded-for').length > 0)
      assert.equal(facts.originRepeated, valuesOf('origin').length > 1)
      const repeated = lines
        .map(([each]) => each.toLowerCase())
        .find((each, at, all) => Object.hasOwn(once, each) && each !== 'origin' && all.indexOf(each) < at)
      assert.equal(facts.repeated, repeated)
      const ofBrowser = valuesOf('sec-fetch-dest').length + valuesOf('sec-fetch-site').length > 0
      assert.equal(facts.fromBrowser, ofBrowser || valuesOf('sec-fetch-mode').some((value) => value !== 'websocket'))
    }),
    { numRuns: 1_000 },
  )
})
