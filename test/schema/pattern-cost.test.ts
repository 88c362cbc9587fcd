import assert from 'node:assert/strict'
import { it } from 'node:test'
import { checkPattern, degreeOf } from '../../src/schema/pattern.ts'
import { shortenRepeats } from '../../src/schema/pattern-syntax.ts'
import { Random } from '../harness/random.ts'
import { characters, choice, type Piece, repeat, sequence, stepsOn } from './backtracking.ts'

function admits(pattern: string, longest?: number): boolean {
  try {
    checkPattern(pattern, longest, 'x.pattern')
    return true
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'SWS_BAD_OPTION')
    assert.match(error.message, /ReDoS/)
    return false
  }
}

// On 60,000 characters `a{0,9}a{0,9}a{0,9}[bc]` took 292 ms, and ten times `a?` before `[bc]` 122 ms; `\w{0,64}@` took half a minute to
// be admitted, and `^a{0,99}a{0,99}a{0,99}[bc]` was never judged.
const costly = [
  'a{0,9}a{0,9}a{0,9}[bc]',
  `${'a?'.repeat(10)}[bc]`,
  '^a{0,99}a{0,99}a{0,99}[bc]',
  '(?:a{0,9}){3}b',
  '(?:a|b|[ab]){10}c',
  '(?:a?b?){0,9}c',
  '\\w{0,30}\\d{0,30}\\w{0,30}!',
  '(?:aa?){9}b',
  '(?:a{1,3}){8}b',
  '[ab]{0,40}a{0,40}b{0,40}c',
  'x(?:[a-z]{0,9}[a-z]{0,9}){0,9}!',
  '\\w{0,5000}@',
  `(?:${'[a-f]?'.repeat(12)}|g)h`,
  // None of the texts that repeat a few characters begins as this does.
  '^x(?:a{0,60}){3}b',
  // What looks behind is tried from its end.
  '(?<=[bc]a{0,9}a{0,9}a{0,9})a',
  '(?<!(?:b|c)(?:a?){12})a',
]
for (const pattern of costly)
  it(`MS-09 refuses ${pattern}, which nothing keeps short`, () => assert.ok(!admits(pattern)))

// The time is no part of the test: with recheck's automata, or with repetitions written out, these would not end before the runner does.
for (const pattern of [
  ...['\\w{0,64}@', '^\\w{0,64}\\d*@', '^.{1,5000}$', '(?:\\w{0,30}@)+'],
  ...['(?<=a{0,9}a{0,9}a{0,9}[bc])x', '(?<=^[bc]\\w{0,9})x', '^(?:(?:a+b){1,20}c){1,20}$'],
]) {
  it(`MS-09 judges ${pattern} in a number of steps that is bounded`, () => assert.ok(admits(pattern)))
}
for (const pattern of [
  ...['(?:(?:a+b){1,20}c){1,20}', '(?:a+b)'.repeat(24), '(?:(?:a+b){1,3}){1,3}'.repeat(9)],
  '^(?:a{0,999}){0,999}b',
  '^(?:(?:\\w{0,99}){0,99}){0,99}x*$',
  '(?:\\w{0,9999}\\d{0,9999})*!',
]) {
  it(`MS-09 refuses ${pattern}, which it cannot count`, () => assert.ok(!admits(pattern)))
}

// The first is linear, and to find that out takes a minute and more.
it('MS-09 says of what it cannot judge that it cannot', () => {
  assert.throws(() => checkPattern('(?:\\w{0,50}@){0,290}!', undefined, 'x'), /Nobody can tell in time/)
  const words = Array.from({ length: 400 }, (_, index) => `word${index}`).join('|')
  assert.throws(() => checkPattern(`^(?:${words})+!`, undefined, 'x'), /more than 1500 characters/)
})

it('MS-09 takes a counted pattern where the text is kept short', () => {
  const pattern = '^a{0,99}a{0,99}a{0,99}[bc]'
  assert.ok(admits(pattern, 32))
  assert.ok(!admits(pattern, 300))
  assert.equal(degreeOf(pattern), 1)
})

// The search for the worst text is one for a good text, and not all of them: what it misses may take some more, but no other order of it.
const most = 2 * 512
it('MS-09 admits no random pattern of which a text takes more steps than it may', () => {
  const random = new Random(20_261_130)
  const atom = (): Piece => {
    const taken = random.pick(['a', 'b', 'ab', 'bc', 'abc'])
    return characters(`[${taken}]`, taken)
  }
  const piece = (depth: number): Piece => {
    const kind = depth === 0 ? 0 : random.below(4)
    if (kind === 0) return atom()
    if (kind === 1) return sequence([piece(depth - 1), piece(depth - 1), piece(depth - 1)])
    if (kind === 2) return choice([piece(depth - 1), piece(depth - 1)])
    const min = random.below(3)
    return repeat(piece(depth - 1), min, min + random.below(9))
  }
  let admitted = 0
  let refused = 0
  for (let round = 0; round < 400; round++) {
    const whole = sequence([piece(3), piece(3), characters('[!]', '!')])
    const isAnchored = random.below(2) === 0
    const pattern = (isAnchored ? '^' : '') + whole.source
    if (!admits(pattern)) {
      refused++
      continue
    }
    admitted++
    const units = Array.from({ length: 12 }, () =>
      Array.from({ length: 1 + random.below(6) }, () => random.pick(['a', 'b', 'c'])).join(''),
    )
    for (const unit of ['a', 'b', 'ab', 'aab', ...units]) {
      const length = isAnchored ? 60 : 200
      const text = unit.repeat(length).slice(0, length)
      const steps = stepsOn(whole, isAnchored, text, most * length)
      assert.ok(steps <= most * length, `${pattern} takes more than ${steps} steps on ${length} characters of ${unit}`)
    }
  }
  assert.ok(admitted >= 50 && refused >= 50, `${admitted} were admitted, ${refused} were not`)
})

it('MS-09 counts an endless pattern, too, where its degree promises more', () => {
  assert.ok(admits('(?:\\w+\\d){1,12}', 32))
  assert.ok(!admits('(?:\\w+\\d){1,12}', 512))
})

it('MS-09 shortens what has an end, and not what makes the time grow faster', () => {
  assert.equal(
    shortenRepeats('^(?:(?:a{1,9}b{3}){5,}-)+[{9}]\\{9x{9}?', 2, 12),
    '^(?:(?:a{1,2}b{2}){2,}-)+[{9}]\\{9x{2}?',
  )
  assert.equal(
    shortenRepeats('^(?:.*a){12}(?:(?:b+)c{9}){40}(?:d){9}$', 2, 12),
    '^(?:.*a){12}(?:(?:b+)c{2}){12}(?:d){2}$',
  )
  assert.equal(shortenRepeats('(?:a+(?:b)c){40}(?:(?:a)b){40}', 2, 12), '(?:a+(?:b)c){12}(?:(?:a)b){2}')
})
