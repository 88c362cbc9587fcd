import { badOption } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import { type Bearable, bearableLength } from './pattern-steps.ts'
import { isEndless, parsePattern, shortenRepeats } from './pattern-syntax.ts'

/** recheck's pure JavaScript build, which comes with this package: see `build/recheck.ts`. */
const recheckModule = lazyLoad<Pick<typeof import('recheck'), 'checkSync'>>('recheck/lib/browser.js')

/**
 * The bounds of recheck are counts of steps, none of them a time: on a busy machine, or a slow one, a time would make an ordinary
 * pattern a bad one (an attack that is cut short counts as a success), and a bad one an ordinary one (so do its seeds).
 */
const steps = {
  // Without acceleration, which remembers where it has been: Node's engine does not, and `^(?:a?){25}b` takes it seconds.
  accelerationMode: 'off',
  // Attacks on an ordinary pattern with look-ahead add up to seconds with more than this, and than `incubationLimit`.
  attackLimit: 100_000,
  attackTimeout: null,
  incubationLimit: 5000,
  incubationTimeout: null,
  // Twenty of `a+b` in a row took half a minute, five times five of them a whole one: beyond this, recheck looks for an attack.
  maxNFASize: 5000,
  seedingTimeout: null,
  timeout: null,
} as const
/** Steps for each character of the text that a pattern may take: a message of 64 KiB is then some 30 ms. */
const mostSteps = 512

/** Where no more than this may be taken, the pattern is bad as it stands, and no `maxLength` makes up for it. */
const leastLength = 32
/**
 * Rounds of a counted repetition that recheck gets to see: its automata are as large as the product of all of them, and with
 * `{0,64}` take half a minute. To what power a time grows is up to the repetitions without end; `bearableLength` counts all.
 */
const mostRounds = 2
const mostEndlessRounds = 12
/** Characters of a pattern that recheck is asked about: an endless one of four hundred words took it eight seconds. */
const longestAsked = 1500

/** The time that a pattern takes, and so the use that may be made of it. */
type Judgement =
  | { readonly kind: 'linear' }
  | { readonly kind: 'costly'; readonly bearable: Bearable }
  | { readonly kind: 'polynomial'; readonly degree: number; readonly attack: string; readonly bearable: Bearable }
  | { readonly kind: 'exponential'; readonly attack: string }
  | { readonly kind: 'undecided'; readonly why: string }

/** By pattern: routes share them, and the answer never changes. */
const judged = new Map<string, Judgement>()

/**
 * Refuses a pattern that hangs the server on some thirty characters, whatever limits are set, and one of a higher degree where
 * nothing keeps the text short. Node's engine backtracks: `^(\w|\d)+$` doubles its work with every character.
 *
 * @param longest the `maxLength` beside the pattern, which is looked at before it
 * @throws SWS_BAD_OPTION with a text that keeps the pattern busy
 */
export function checkPattern(pattern: unknown, longest: unknown, path: string): void {
  if (typeof pattern !== 'string') throw badOption(path, pattern, 'Write a regular expression as a string.')
  try {
    new RegExp(pattern, 'u')
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw badOption(path, pattern, `It is no regular expression with the flag \`u\`: ${problem}.`)
  }
  const judgement = judge(pattern)
  switch (judgement.kind) {
    case 'linear':
      return
    case 'polynomial': {
      const { degree, attack, bearable } = judgement
      const mayBe = Math.min(bearable.length, Math.floor(mostSteps ** (1 / (degree - 1))))
      if (typeof longest === 'number' && longest <= mayBe) return
      throw badOption(
        path,
        pattern,
        `Its time grows with the length to the power of ${degree} (ReDoS), as on ${attack}: write \`maxLength\` of at most ${mayBe} beside it, or a pattern in which no two repetitions that touch take the same characters.`,
      )
    }
    case 'costly': {
      const { length: mayBe, attack } = judgement.bearable
      if (typeof longest === 'number' && longest <= mayBe && mayBe >= leastLength) return
      const why =
        attack === undefined
          ? 'Nobody can tell in time how many steps it takes (ReDoS)'
          : `It takes more than ${mostSteps} steps for each character (ReDoS), as on ${JSON.stringify(attack)}`
      const advice = mayBe >= leastLength ? `write \`maxLength\` of at most ${mayBe} beside it, or ` : ''
      throw badOption(
        path,
        pattern,
        `${why}: ${advice}begin the pattern with \`^\`, or write fewer optional parts and counted repetitions that take the same characters.`,
      )
    }
    case 'exponential':
      throw badOption(
        path,
        pattern,
        `Its time doubles with every character (ReDoS), as on ${judgement.attack}: let each round of a repetition need a character that nothing else in it takes, or check the text in the listener.`,
      )
    default:
      throw badOption(
        path,
        pattern,
        `Nobody can tell how long it takes (${judgement.why}), so it may take for ever (ReDoS): write a simpler one, or check the text in the listener.`,
      )
  }
}

/** The power to which the time of a pattern grows with the length, for one that `checkPattern` has admitted. */
export function degreeOf(pattern: string): number {
  const judgement = judged.get(pattern)
  return judgement?.kind === 'polynomial' ? judgement.degree : 1
}

function judge(pattern: string): Judgement {
  const known = judged.get(pattern)
  if (known !== undefined) return known
  const judgement = judgementOf(pattern)
  judged.set(pattern, judgement)
  return judgement
}

function judgementOf(pattern: string): Judgement {
  const part = parsePattern(pattern)
  if (part === undefined) return { kind: 'undecided', why: 'it changes its own flags' }
  const bearable = bearableLength(pattern, part, mostSteps)
  const counted: Judgement = bearable.length === Infinity ? { kind: 'linear' } : { kind: 'costly', bearable }
  // Its time is some number of steps for each character, which are counted, or it may grow faster.
  if (!isEndless(part)) return counted
  const asked = shortenRepeats(pattern, mostRounds, mostEndlessRounds)
  if (asked.length > longestAsked) return { kind: 'undecided', why: `it has more than ${longestAsked} characters` }
  const found = recheckModule().checkSync(asked, 'u', steps)
  if (found.status === 'safe') return counted
  if (found.status === 'unknown') return { kind: 'undecided', why: found.error.kind }
  const attack = found.attack.pattern
  const { complexity } = found
  if (complexity.type === 'exponential') return { kind: 'exponential', attack }
  return { kind: 'polynomial', degree: complexity.degree, attack, bearable }
}
