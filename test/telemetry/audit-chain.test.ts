import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditEvent } from '../../src/telemetry/audit.ts'
import { auditChain } from '../../src/telemetry/audit-chain.ts'
import { chainKey, lineOf, readRecord } from '../../src/telemetry/audit-record.ts'
import { readHead, verifyAudit } from '../../src/telemetry/verify-audit.ts'
import { Random } from '../harness/random.ts'

const secret = 'a key of the chain, kept elsewhere'
const key = chainKey(secret)
const event = (n: number): AuditEvent => ({ type: 'handshake.refused', at: '2026-01-01T00:00:00.000Z', user: `u${n}` })

function written(count: number, options: { readonly key?: string; readonly after?: string } = {}, first = 0) {
  const lines: string[] = []
  const chain = auditChain({ write: (line) => lines.push(line), ...options })
  for (let n = 0; n < count; n++) chain(event(first + n))
  return { lines, head: chain.head() }
}

const problems = async (lines: readonly string[], options: Parameters<typeof verifyAudit>[1]) =>
  (await verifyAudit(lines, options)).faults.map(({ line, problem }) => `${line}: ${problem}`)

test('near miss: a chain that nobody touched has no fault, over restarts and rotated files', async () => {
  for (const options of [{}, { key: secret }]) {
    const first = written(5, options)
    const second = written(5, { ...options, after: `${first.lines.at(-1)}\n` }, 5)
    const given = 'key' in options ? { key } : {}
    const report = await verifyAudit([...first.lines, ...second.lines], { ...given, expect: first.head })
    assert.deepEqual(report, { records: 10, faults: [], head: second.head, wrongKey: false })
    const alone = await verifyAudit(second.lines, { ...given, after: readHead(first.head) })
    assert.deepEqual(alone.faults, [])
  }
})

// Somebody who may write to the file, and has no key.
test('each way to change the file is found, and named', async () => {
  const { lines, head } = written(20, { key: secret })
  const options = { key, expect: head }
  const record = (index: number) => lines[index] ?? ''
  const forged = lineOf(event(99), { number: 6, digest: '0'.repeat(64) }, undefined).line
  const attacks: readonly (readonly [name: string, lines: readonly string[], found: readonly string[]])[] = [
    ['a value altered', lines.with(6, record(6).replace('u6', 'u7')), ['7: record 7 was altered']],
    [
      'a member put in twice',
      lines.with(6, record(6).replace('"event":', '"event":{},"event":')),
      ['7: record 7 was altered'],
    ],
    ['a space put in', lines.with(6, record(6).replace('{"type"', '{ "type"')), ['7: record 7 was altered']],
    ['one removed', lines.toSpliced(6, 1), ['7: record 7 is missing']],
    ['three removed', lines.toSpliced(6, 3), ['7: records 7 to 9 are missing']],
    ['the first one removed', lines.slice(1), ['1: record 1 is missing']],
    [
      'the end cut off',
      lines.slice(0, 15),
      [`15: the record ${head} is not in the file: its end was cut off, or rewritten`],
    ],
    [
      'everything removed',
      [],
      [`0: the record ${head} is not in the file: its end was cut off, or rewritten`, '0: the file is empty'],
    ],
    [
      'one put in a second time',
      lines.toSpliced(10, 0, record(4)),
      [
        '11: record 5 stands behind record 10: it was moved, or put in a second time',
        '12: records 6 to 10 are missing',
      ],
    ],
    [
      'two neighbours in the other order',
      lines.with(6, record(7)).with(7, record(6)),
      [
        '7: record 7 is missing',
        '8: record 7 stands behind record 8: it was moved, or put in a second time',
        '9: record 8 is missing',
      ],
    ],
    [
      'one put in without the key',
      lines.toSpliced(6, 0, forged),
      ['7: record 7 was altered', '8: record 7 stands behind record 7: it was moved, or put in a second time'],
    ],
    ['a line of something else', lines.toSpliced(6, 0, 'nothing happened here'), ['7: is no record']],
    ['half a line, as a crash leaves it', lines.with(6, record(6).slice(0, 40)), ['7: is no record']],
  ]
  for (const [name, changed, found] of attacks) assert.deepEqual(await problems(changed, options), found, name)
})

test('a record of another chain with the same key and number does not fit', async () => {
  const [one, other] = [written(9, { key: secret }), written(9, { key: secret }, 100)]
  const mixed = one.lines.with(4, other.lines[4] ?? '')
  assert.deepEqual(await problems(mixed, { key }), [
    '5: record 5 does not follow the one above it: that one was put in the place of another',
    '6: record 6 does not follow the one above it: that one was put in the place of another',
  ])
})

// Without a key the digests can be calculated by everybody: what follows gives it away, and at the end a head kept elsewhere.
test('without a key, a record that was written anew breaks the chain, and a chain written anew the head', async () => {
  const { lines, head } = written(9)
  const fourth = readRecord(lines[3] ?? '', undefined)
  const anew = lineOf(event(99), fourth?.link ?? assert.fail(), undefined).line
  assert.deepEqual(await problems(lines.with(4, anew), {}), [
    '6: record 6 does not follow the one above it: that one was put in the place of another',
  ])
  const chain = written(9, {}, 50)
  assert.deepEqual(await problems(chain.lines, {}), [])
  assert.match((await problems(chain.lines, { expect: head })).join(), /rewritten/)
})

test('random changes: whatever differs from what was written is found', async () => {
  const random = new Random(20_261)
  const { lines, head } = written(12, { key: secret })
  let changes = 0
  for (let round = 0; round < 3_000; round++) {
    const changed = [...lines]
    for (let change = 0; change <= random.below(3); change++) {
      const index = random.below(changed.length)
      const line = changed[index] ?? ''
      const at = random.below(line.length + 1)
      const letter = String.fromCharCode(32 + random.below(95))
      const way = random.below(5)
      if (way === 0) changed[index] = line.slice(0, at) + letter + line.slice(at + random.below(2))
      if (way === 1) changed.splice(index, 1)
      if (way === 2) changed.splice(random.below(changed.length), 0, line)
      if (way === 3) changed.splice(index, 1, changed[random.below(changed.length)] ?? '')
      if (way === 4) changed.length = Math.max(1, index)
    }
    const same = changed.join('\n') === lines.join('\n')
    if (!same) changes++
    const { faults } = await verifyAudit(changed, { key, expect: head })
    assert.equal(faults.length === 0, same, changed.join('\n'))
  }
  assert.ok(changes > 2_500)
})

test('another key, and none, is told as such', async () => {
  const { lines } = written(3, { key: secret })
  for (const options of [{}, { key: chainKey('b'.repeat(40)) }]) {
    const { wrongKey, records, faults } = await verifyAudit(lines, options)
    assert.deepEqual({ wrongKey, records, faults: faults.length }, { wrongKey: true, records: 0, faults: 3 })
  }
})

// A record that was lost must leave a gap, whether or not some of it reached the file.
test('a write that fails leaves a gap', async () => {
  const lines: string[] = []
  let full = false
  const chain = auditChain({
    write(line) {
      if (full) throw new Error('ENOSPC')
      lines.push(line)
    },
  })
  chain(event(1))
  full = true
  assert.throws(() => chain(event(2)), /ENOSPC/)
  full = false
  chain(event(3))
  assert.deepEqual(await problems(lines, {}), ['2: record 2 is missing'])
})

test('options that are wrong are refused by name, and the key is not repeated', () => {
  const write = () => {}
  const last = written(1, { key: secret }).lines[0] ?? ''
  const wrong: readonly (readonly [options: object, text: RegExp])[] = [
    [{}, /auditChain\.write/],
    [{ write, keys: secret }, /auditChain\.keys.*Did you mean `auditChain\.key`/],
    [{ write, key: 'too short a secret' }, /auditChain\.key(?!.*too short a secret)/],
    [{ write, key: 7 }, /auditChain\.key/],
    [{ write, after: 'x' }, /auditChain\.after/],
    [{ write, after: last }, /auditChain\.after/],
    [{ write, after: last.slice(0, -1), key: secret }, /auditChain\.after/],
  ]
  for (const [options, text] of wrong) {
    assert.throws(() => auditChain(options as Parameters<typeof auditChain>[0]), text)
  }
})
