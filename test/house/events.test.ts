import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditEvents } from '../../src/telemetry/events.ts'
import { eventsPage, writtenEvents } from './events.ts'
import { filesBelow, textOf } from './source-files.ts'

const types = Object.keys(auditEvents)

test('docs/events.md is as the catalogue has it', () => {
  const page = textOf(eventsPage)
  assert.equal(page, writtenEvents(page), 'run `npm run docs`')
  for (const type of types) assert.ok(page.includes(`\n| \`${type}\` |`), type)
})

test('each event of the catalogue is made somewhere, and no file outside of it makes up one', () => {
  const source = filesBelow('src').filter((path) => path !== 'src/telemetry/events.ts')
  const texts = source.map((path) => textOf(path))
  assert.deepEqual(
    types.filter((type) => !texts.some((text) => text.includes(`'${type}'`))),
    [],
  )
})

test('no event has a field twice, and each says when it is made', () => {
  for (const [type, { fields, when }] of Object.entries(auditEvents)) {
    assert.equal(new Set(fields).size, fields.length, type)
    assert.ok(when.length > 10 && !when.includes('|'), type)
  }
})
