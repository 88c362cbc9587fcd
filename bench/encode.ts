/**
 * What encoding costs on top of serializing: `encodeOutgoing` to bytes against `Buffer.from(JSON.stringify(value))`, as
 * medians of interleaved runs, so that a busy machine slows both. Run with `node bench/encode.ts`.
 */
import { compileOutbound, encodeOutgoing } from '../src/outbound/outbound.ts'

const policy = compileOutbound({
  encode: 'html',
  sends: undefined,
  path: 'secureWs',
  sanitizeHtml: (dirty) => dirty,
  warn: () => {},
})

const words = 'the quick brown fox jumps over the lazy dog and runs away from it '
const member = (index: number) => ({
  id: index,
  name: `member ${index}`,
  text: words.slice(0, 60),
  at: 1.5,
  open: true,
})
const list = (count: number) => ({ type: 'list', members: Array.from({ length: count }, (_, index) => member(index)) })

const cases: readonly { readonly name: string; readonly value: unknown; readonly goal: number }[] = [
  { name: 'clean, 200 B', value: list(1), goal: 1.1 },
  { name: 'clean, 2 KB', value: list(17), goal: 1.05 },
  { name: 'clean, 16 KB', value: list(135), goal: 1.05 },
  { name: 'clean, 16 KB in one text', value: { type: 'said', text: words.repeat(250) }, goal: 1.05 },
  { name: 'one special, 2 KB', value: { ...list(17), by: "O'Neil" }, goal: 1.25 },
  { name: 'one special, 16 KB', value: { ...list(135), by: "O'Neil" }, goal: 1.25 },
  {
    name: 'dirty, many leaves, 16 KB',
    value: {
      type: 'list',
      members: list(135).members.map((each) => ({ ...each, text: `<b>${each.name}</b> & "more"` })),
    },
    goal: 2.25,
  },
  {
    name: 'dirty, long text, 16 KB',
    value: { type: 'said', text: '<p class="x">Tom & \'Jerry\'</p> '.repeat(520) },
    goal: 2.7,
  },
  { name: 'nothing but <, 64 KB', value: { type: 'said', text: '<'.repeat(65_536) }, goal: Number.POSITIVE_INFINITY },
]

const runs = 25
const perRun = 3_000_000 // ns: long enough for the clock, short enough to interleave

function baseline(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function encoded(value: unknown): Uint8Array {
  const outgoing = encodeOutgoing(value, policy)
  if (outgoing instanceof Promise) throw new TypeError('nothing here waits')
  const { payload } = outgoing
  if (typeof payload === 'string') return Buffer.from(payload)
  if (payload instanceof Uint8Array) return payload
  throw new TypeError('nothing here is binary')
}

let kept = 0

function timed(work: (value: unknown) => Uint8Array, value: unknown, times: number): number {
  const start = process.hrtime.bigint()
  for (let index = 0; index < times; index += 1) kept += work(value).length
  return Number(process.hrtime.bigint() - start)
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN
}

console.log('case                          ratio   goal')
for (const { name, value, goal } of cases) {
  const times = Math.max(1, Math.round(perRun / (timed(baseline, value, 50) / 50)))
  for (let warm = 0; warm < 3; warm += 1) timed(encoded, value, times)
  const ratios = Array.from({ length: runs }, (_, index) => {
    // Whoever goes second finds warmer caches, so they take turns.
    if (index % 2 === 0) return 1 / (timed(baseline, value, times) / timed(encoded, value, times))
    const ours = timed(encoded, value, times)
    return ours / timed(baseline, value, times)
  })
  const ratio = median(ratios)
  const verdict = ratio <= goal ? '' : '  over'
  console.log(
    `${name.padEnd(28)} ${ratio.toFixed(3).padStart(6)} ${Number.isFinite(goal) ? goal.toFixed(2).padStart(6) : '     -'}${verdict}`,
  )
}
if (kept === 0) throw new Error('nothing was encoded')
