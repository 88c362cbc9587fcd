import type { AttackPattern, Diagnostics } from 'recheck'
import { lazyLoad } from '../../loading/lazy-load.ts'
import { fieldsOf, textOf } from './hostile-message.ts'
import { rightMessageOf } from './right-message.ts'
import type { Role } from './role.ts'
import type { Stage, Target } from './stage.ts'

/** recheck's pure JavaScript build, which comes with this package: see `build/recheck.ts`. */
const recheckModule = lazyLoad<Pick<typeof import('recheck'), 'checkSync'>>('recheck/lib/browser.js')

/** So long may one message stop this process, in ms: of many a second, nobody else would be served. */
const tooLong = 250
/** How often the dear part of a text is repeated, one text after the other: the first one that is too long is enough. */
const repeats = [16, 20, 22, 24, 26, 28, 30, 100, 1_000, 5_000, 20_000, 50_000]

/** For each pattern of a message: the text that is dearest for it, longer and longer. */
export async function attackPattern(
  stage: Stage,
  name: string,
  role: Role,
  target: Target,
  sample: Readonly<Record<string, unknown>>,
): Promise<void> {
  for (const { at, schema, set } of fieldsOf(target.schema, sample)) {
    const found = typeof schema.pattern === 'string' ? judged(schema.pattern) : undefined
    if (found?.status !== 'vulnerable') continue
    const longest = typeof schema.maxLength === 'number' ? schema.maxLength : 60_000
    const attack = `the dearest text for the pattern of \`${at}\``
    let stopped = 0
    for (const count of repeats) {
      const text = textFor(found.attack, count)
      if (text.length > longest) break
      const message = textOf(rightMessageOf(stage, target, set(text)))
      stopped =
        (await stage.on(role, (probe) => stopOf(() => probe.say(message, stage.answers ? 1 : undefined, undefined)))) ??
        0
      if (stopped > tooLong) break
    }
    const isSlow = stopped > tooLong
    stage.note(
      name,
      target.type,
      attack,
      isSlow ? `stopped everything for ${Math.round(stopped)} ms` : 'in time',
      isSlow ? 'slow-pattern' : undefined,
    )
  }
}

function judged(pattern: string): Diagnostics | undefined {
  try {
    return recheckModule().checkSync(pattern, 'u', { accelerationMode: 'off', timeout: 10_000 })
  } catch {
    return undefined
  }
}

function textFor({ pumps, suffix }: AttackPattern, count: number): string {
  return `${pumps.map(({ prefix, pump, bias }) => prefix + pump.repeat(count + bias)).join('')}${suffix}`
}

/** How long the loop of this process stood still meanwhile, in ms. */
async function stopOf(work: () => Promise<unknown>): Promise<number> {
  let last = process.hrtime.bigint()
  let longest = 0n
  let runs = true
  const look = () => {
    const now = process.hrtime.bigint()
    if (now - last > longest) longest = now - last
    last = now
    if (runs) setImmediate(look)
  }
  setImmediate(look)
  await work()
  look()
  runs = false
  return Number(longest) / 1e6
}
