import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import { formatKinds, textFormat } from '../../src/schema/formats.ts'
import { Random } from '../harness/random.ts'

// A format that is looser than its name lets in whatever the application then trusts: without a test of its own the check of
// addresses took texts that have no `@`. So each is held against another reading of the same RFC.
const random = new Random(Number(process.env.SEED ?? 7))

/** Texts of each format in all its forms, from which others are made. */
const seeds: Readonly<Record<string, readonly string[]>> = {
  date: ['2024-02-29', '2000-02-29', '2023-12-31', '1999-04-30', '0000-01-01'],
  time: ['23:59:60Z', '12:30:45.123Z', '01:02:03+14:30', '00:29:60-23:30', '22:59:60.5-01:00', '05:04:03z'],
  'date-time': ['2024-02-29T12:30:45.123Z', '2016-12-31t23:59:60z', '1985-04-12 23:20:50+05:30'],
  duration: ['P1Y2M3D', 'P10DT20H30M40S', 'PT36H', 'PT100M', 'P52W', 'P12Y', 'P40M', 'PT99S', 'P3D', 'P1YT1S'],
  email: ['a.b+c@example.org', 'x@y.z', "o'brien_1@mail.example.co.uk", '!#$%&*/=?^`{|}~-@a.bc'],
  hostname: ['example.org', 'a', 'xn--bcher-kva.example.', `${'a'.repeat(63)}.b-c`, '1.2.3.4', 'A-1.Z9'],
  ipv4: ['192.0.2.1', '255.255.255.255', '0.0.0.0', '10.20.130.240'],
  ipv6: ['2001:db8::1', '::ffff:192.0.2.1', '::', '1:2:3:4:5:6:7:8', 'fe80::1:2', '1::8'],
  uri: [
    'https://user:pw@example.org:8443/a/b;c=1?d=e&f=%2f#g',
    'mailto:a@example.org',
    'urn:isbn:0451450523',
    'http://[2001:db8::1]:80/',
    'a+b-c.d:e',
    'https://example.org',
    'file:///etc/hosts',
  ],
  'uri-reference': ['/a/b?c#d', '//example.org/x', '?q=1', '#f', '', 'a/b', 'https://example.org/%41', '//[::1]/a'],
  uuid: ['123e4567-e89b-12d3-a456-426614174000', 'urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6'],
  'json-pointer': ['', '/', '/a~1b/0', '/a~0~1/b c/\u00e9', '//'],
  'relative-json-pointer': ['0', '1/a', '10#', '120/b~1c/d', '0/'],
  byte: ['', 'YQ==', 'YWI=', 'YWJj', 'YWJjZGVm+/8='],
}

const pieces = [
  ...'aZz09_-+.:/?#[]@%~=!$,;TtPYMDHSW \n\0\u00e9',
  '\u{1f600}',
  '60',
  '24',
  '31',
  '00',
  '%41',
  '~1',
  '::',
]

/** The same text with one to three small faults. */
function near(text: string): string {
  const characters = [...text]
  for (let faults = random.below(4); faults >= 0; faults--) {
    const at = random.below(characters.length + 1)
    const count = random.below(3)
    if (random.chance(0.2)) characters.splice(at, 1, ...characters.slice(at, at + 1), ...characters.slice(at, at + 1))
    else characters.splice(at, Math.min(count, 1), ...(random.chance(0.3) ? [] : [random.pick(pieces)]))
  }
  return characters.join('')
}

function theirs(name: string, text: string): boolean {
  const format: unknown = Reflect.get(fullFormats, name)
  if (format instanceof RegExp) return format.test(text)
  return typeof format === 'function' ? format(text) : Reflect.get(Object(format), 'validate')(text)
}

/** Texts that are none of the format, and that ajv-formats may take. */
const takenThere: Readonly<Record<string, (text: string) => boolean>> = {
  // Offsets without a colon are ISO 8601, and not RFC 3339.
  time: (text) => /[+-]\d\d(?:\d\d)?$/.test(text),
  'date-time': (text) => /[+-]\d\d(?:\d\d)?$/.test(text) || /^.{10}[^Tt ]/s.test(text),
  // Two users, brackets in a path, and hosts and ports that no URL has.
  uri: (text) => !URL.canParse(text) || /@[^/?#]*@|\[/.test(text),
  'uri-reference': (text) => !URL.canParse(text, 'https://example.org') || /@[^/?#]*@|\[/.test(text),
  // Line by line: the last one may be empty.
  byte: (text) => text.includes('\n'),
}

for (const [name, own] of Object.entries(seeds)) {
  test(`${name}: near each good text, the same as ajv-formats`, () => {
    const ours = textFormat(name)
    assert.ok(ours !== undefined)
    for (const text of own) assert.ok(ours(text), text)
    let taken = 0
    for (let count = 0; count < 3_000; count++) {
      const text = near(random.pick(own))
      if (ours(text)) taken++
      // RFC 3986 has an empty path, in front of a query as well.
      if (name === 'uri' && /^[a-z][a-z0-9+.-]*:[?#]/i.test(text)) continue
      if (ours(text)) assert.ok(theirs(name, text), `${JSON.stringify(text)} is taken`)
      else assert.ok(!theirs(name, text) || takenThere[name]?.(text), `${JSON.stringify(text)} is refused`)
    }
    assert.ok(taken > 50 && taken < 2_950, `${taken}`)
  })
}

test('every format of a text is here, or is another one for the letters of all languages', () => {
  const texts = [...formatKinds].filter(([, kind]) => kind === 'string').map(([name]) => name)
  assert.deepEqual(texts.filter((name) => !(name in seeds)).sort(), ['iri', 'iri-reference', 'url'])
})

// ajv-formats and ours might have the same wrong idea of a calendar.
test('every day of some years, and every minute of a day, is as the calendar has it', () => {
  const [isDate, isTime] = [textFormat('date'), textFormat('time')]
  const two = (number: number) => String(number).padStart(2, '0')
  for (const year of ['0000', '0004', '0100', '1900', '2000', '2023', '2024', '2100', '2400', '9999']) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const text = `${year}-${two(month)}-${two(day)}`
        const date = new Date(0)
        date.setUTCFullYear(Number(year), month - 1, day)
        assert.equal(isDate?.(text), date.toISOString().startsWith(text), text)
      }
    }
  }
  for (let minute = 0; minute < 1_440; minute++) {
    const clock = `${two(Math.floor(minute / 60))}:${two(minute % 60)}`
    for (const zone of ['Z', '+00:00', '+01:00', '-01:00', '+05:30', '-23:59', '+23:59', '-00:01']) {
      // A second is put in at the end of a day in UTC.
      const utc = new Date(`2016-12-31T${clock}:59${zone}`).toISOString()
      assert.equal(isTime?.(`${clock}:60${zone}`), utc.includes('T23:59:59'), clock + zone)
      assert.ok(isTime?.(`${clock}:59.9${zone}`))
      assert.ok(!isTime?.(`${clock}:61${zone}`))
    }
  }
  for (const wrong of ['24:00:00Z', '00:60:00Z', '00:00:00+24:00', '00:00:00+00:60']) assert.ok(!isTime?.(wrong), wrong)
})
