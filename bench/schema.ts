/**
 * Whether the work of a message grows with its size: random recursive schemas, random messages of 1 to 64 KiB, both directions, by
 * the whole way of a message (parsed and checked; declared and encoded). A message's time is the CPU time of its
 * fastest run, so that a busy machine says the same. Prints the median time of a byte, the worst against it, and the longest message. Run it with
 * `npm run bench:schema`, with a number of schemas and a seed behind `--`.
 */
import { parseMessage } from '../src/inbound/parse.ts'
import { compileSchema } from '../src/inbound/schema.ts'
import { compileOutbound, encodeOutgoing } from '../src/outbound/outbound.ts'
import { Random } from '../test/harness/random.ts'
import { manySidedSchema, randomMessage } from './harness/recursive-schemas.ts'

const [schemas = 200, seed = 1] = process.argv.slice(2).map(Number)
const messagesOfEach = 6
const runs = 5
/** In ms, and against the median. */
const longest = 50
const factor = 20

interface Measured {
  readonly direction: 'received' | 'sent'
  readonly bytes: number
  readonly ms: number
  readonly verdict: string
  readonly schema: object
}

function fastest(work: () => string): { ms: number; verdict: string } {
  let [ms, verdict] = [Number.POSITIVE_INFINITY, '']
  for (let run = 0; run < runs; run++) {
    const start = process.cpuUsage()
    verdict = work()
    const { user, system } = process.cpuUsage(start)
    ms = Math.min(ms, (user + system) / 1_000)
  }
  return { ms, verdict }
}

function measure(random: Random): Measured[] {
  const schema = manySidedSchema(random)
  const { refuse } = compileSchema(schema, ['type', 'id'], 'schema')
  const policy = compileOutbound({
    encode: 'html',
    sends: { m: { schema } },
    path: 'secureWs',
    sanitizeHtml: (dirty) => dirty,
    warn: () => {},
  })
  const found: Measured[] = []
  for (let each = 0; each < messagesOfEach; each++) {
    const message = randomMessage(random, schema, 1_024 * 2 ** (6 * random.next()), (m) => refuse(m) === undefined)
    const text = JSON.stringify({ type: 'm', ...message })
    const bytes = Buffer.byteLength(text)
    const receive = () => {
      const parsed = parseMessage(text, 32)
      if (!('body' in parsed)) throw new Error(parsed.reason)
      const { type: _, ...body } = parsed.body
      return refuse(body)?.reason ?? 'taken'
    }
    const send = () => {
      try {
        encodeOutgoing({ type: 'm', ...message }, policy)
        return 'sent'
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    }
    found.push({ direction: 'received', bytes, schema, ...fastest(receive) })
    found.push({ direction: 'sent', bytes, schema, ...fastest(send) })
  }
  return found
}

const random = new Random(seed)
// Compiled by V8 before anything is measured.
for (let warm = 0; warm < 20; warm++) measure(random)
const all = Array.from({ length: schemas }, () => measure(random)).flat()

console.log('direction  messages  taken  too much work  ns a byte, median  worst  factor  longest, ms')
for (const direction of ['received', 'sent'] as const) {
  const own = all.filter((each) => each.direction === direction)
  const speeds = own.map(({ ms, bytes }) => (1e6 * ms) / bytes).sort((one, other) => one - other)
  const median = speeds[speeds.length >> 1] ?? Number.NaN
  const worst = speeds.at(-1) ?? Number.NaN
  const ms = Math.max(...own.map((each) => each.ms))
  const taken = own.filter(({ verdict }) => verdict === 'taken' || verdict === 'sent').length
  const refused = own.filter(({ verdict }) => /too much work|more work than/.test(verdict)).length
  const row = [taken, refused, median.toFixed(1), worst.toFixed(1), (worst / median).toFixed(1), ms.toFixed(1)]
  const widths = [7, 15, 19, 7, 8, 14]
  const cells = row.map((cell, index) => String(cell).padStart(widths[index] ?? 0))
  console.log(`${direction.padEnd(9)} ${String(own.length).padStart(9)}${cells.join('')}`)
  const over = own.filter((each) => each.ms > longest || (1e6 * each.ms) / each.bytes > factor * median)
  for (const { bytes, schema, verdict, ms: took } of over.slice(0, 3)) {
    console.log(
      `  over: ${took} ms for ${bytes} bytes (${verdict.slice(0, 80)}): ${JSON.stringify(schema).slice(0, Number(process.env.WIDTH ?? 300))}`,
    )
  }
  if (over.length > 0) process.exitCode = 1
}
