/**
 * What sanitizing costs, beside a bare DOMPurify call in the same thread, and then what others notice while five sockets send
 * hostile documents for so many seconds:
 *
 *     node bench/sanitize.ts 60
 *
 * Ratios compare across machines; milliseconds do not.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createCleaner } from '../src/sanitizing/cleaner.ts'
import { compileProfile } from '../src/sanitizing/profile.ts'
import { compileSanitizing, createSanitizer } from '../src/sanitizing/sanitizing.ts'

const paragraph = '<p>Some <b>bold</b> and <a href="https://example.org/page">linked</a> text.</p>'
const rich200 = paragraph.repeat(3).slice(0, 237)

/** Median microseconds per call over 9 rounds. */
function microseconds(rounds: number, call: (index: number) => unknown): number {
  const times = Array.from({ length: 9 }, () => {
    const begun = performance.now()
    for (let index = 0; index < rounds; index++) call(index)
    return ((performance.now() - begun) * 1_000) / rounds
  })
  return times.sort((a, b) => a - b)[4] ?? Number.NaN
}

const bare = createCleaner(compileProfile('basic', 'profile'))
const sanitizer = createSanitizer(compileSanitizing({}), () => {})
await sanitizer.start()
await sanitizer.sanitize(rich200)

const purify = microseconds(100, () => bare.clean(rich200))
const noMarkup = microseconds(100_000, () => sanitizer.sanitize('A line of chat, without markup, as most of them are.'))
const cached = microseconds(100_000, () => sanitizer.sanitize(rich200))
console.log(`DOMPurify on ${rich200.length} bytes of markup: ${purify.toFixed(0)} us`)
console.log(`no markup: ${(noMarkup / purify).toFixed(6)} of that (budget 0.01)`)
console.log(`cached:    ${(cached / purify).toFixed(6)} of that (budget 0.002)`)
await sanitizer.close()

const large = createSanitizer(compileSanitizing({ inputBytes: 2_000_000, cache: 0, timeLimit: 10_000 }), () => {})
await large.start()
const document = paragraph.repeat(Math.ceil(102_400 / paragraph.length))
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const begun = performance.now()
for (let index = 0; index < 8; index++) await large.sanitize(`${document}${index}`)
delay.disable()
const each = ((performance.now() - begun) / 8).toFixed(0)
const p99 = (delay.percentile(99) / 1e6).toFixed(1)
console.log(`100 KB documents: ${each} ms each, main loop delay p99 ${p99} ms (budget 10)`)
await large.close()

const hostile = {
  '100,000 nested elements': '<div>'.repeat(100_000),
  '100,000 attributes': `<p ${Array.from({ length: 100_000 }, (_, index) => `a${index}`).join(' ')}>`,
  '1 MB of <': '<'.repeat(1_000_000),
  '5,000 svg and math': '<svg><math>'.repeat(2_500),
  'lifted content': `${'<x-y>'.repeat(90)}${'<p>text</p>'.repeat(4_500)}`,
  '30 KB within all limits': paragraph.repeat(390),
}
for (const [limits, options] of [
  ['default limits', {}],
  ['inputBytes raised', { inputBytes: 2_000_000 }],
] as const) {
  const strict = createSanitizer(compileSanitizing(options), () => {})
  await strict.start()
  for (const [name, dirty] of Object.entries(hostile)) {
    const asked = performance.now()
    const outcome = await (async () => strict.sanitize(dirty))().then(
      (clean) => `clean, ${clean.length} characters`,
      (error: Error) => error.message.replace(/^.*: /, 'refused: '),
    )
    console.log(`${limits}, ${name}: ${outcome}, ${(performance.now() - asked).toFixed(1)} ms`)
  }
  await strict.close()
}

await import('./sanitize-hostile.ts')
