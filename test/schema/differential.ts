/**
 * Holds the validator of messages against an independent one. `node test/schema/differential.ts 200000 [seed]`; the tests run a
 * smaller count. Each line is a pair in which the two differ.
 */
import { isDeepStrictEqual } from 'node:util'
import { compileSchema } from '../../src/inbound/schema.ts'
import { compileOutbound, encodeOutgoing } from '../../src/outbound/outbound.ts'
import { Random } from '../harness/random.ts'
import { Oracle } from './oracle.ts'
import { randomSchema, randomValue, type Schema } from './random-schemas.ts'

export interface Outcome {
  pairs: number
  accepted: number
  sent: number
  /** Received, though somebody says no or a member is not declared. */
  readonly admitted: Difference[]
  /** Not received, though everybody says yes. */
  readonly refused: Difference[]
  /** Sent, though it would not be received, or not a part of what was given. */
  readonly leaked: Difference[]
  /** Not sent, or not all of it, though all of it would be received. */
  readonly lost: Difference[]
}
export interface Difference {
  readonly schema: Schema
  readonly value: unknown
  readonly outcome: unknown
}

const valuesOfEach = 10

export function compare(count: number, seed: number): Outcome {
  const random = new Random(seed)
  const outcome: Outcome = { pairs: 0, accepted: 0, sent: 0, admitted: [], refused: [], leaked: [], lost: [] }
  while (outcome.pairs < count) {
    const schema = randomSchema(random)
    let compiled: ReturnType<typeof compileSchema>
    let send: ReturnType<typeof sender>
    try {
      compiled = compileSchema(schema, [], 'schema')
      send = sender(schema)
    } catch (error) {
      // A random schema may be one of its own parts, or say what no value can be: test/schema/refusals.test.ts.
      if (error instanceof Error && /own parts|no value can be both|decides between/.test(error.message)) continue
      throw error
    }
    const oracle = new Oracle(schema)
    for (let each = 0; each < valuesOfEach; each++) {
      const value = randomValue(random, schema, schema)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) continue
      outcome.pairs++
      const expected = oracle.accepts(value)
      if (expected) outcome.accepted++
      const reason = compiled.refuse(value)?.reason
      if ((reason === undefined) !== expected) {
        const list = expected ? outcome.refused : outcome.admitted
        list.push({ schema, value, outcome: reason })
      }
      const sent = send(value)
      if (typeof sent === 'object') outcome.sent++
      if (typeof sent === 'object' && !(oracle.accepts(sent) && isPartOf(sent, value))) {
        outcome.leaked.push({ schema, value, outcome: sent })
      }
      if (expected && !isDeepStrictEqual(sent, value)) outcome.lost.push({ schema, value, outcome: sent })
    }
  }
  return outcome
}

/** What leaves by `sends`, or why nothing does. */
function sender(schema: Schema): (value: object) => object | string {
  const policy = compileOutbound({
    encode: 'none',
    sends: { m: { schema } },
    path: 'secureWs',
    sanitizeHtml: (dirty) => dirty,
    warn: () => {},
  })
  return (value) => {
    try {
      const outgoing = encodeOutgoing({ ...value, type: 'm' }, policy)
      if (outgoing instanceof Promise) return 'waits'
      const { type: _, ...sent } = JSON.parse(String(outgoing.payload))
      return sent
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'SWS_INVALID_OUTPUT') return error.message
      throw error
    }
  }
}

function isPartOf(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null) return part === whole
  if (typeof whole !== 'object' || whole === null || Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part) && part.length !== (whole as unknown[]).length) return false
  return Object.entries(part).every(
    ([name, member]) => Object.hasOwn(whole, name) && isPartOf(member, Reflect.get(whole, name)),
  )
}

if (process.argv[1] === import.meta.filename) {
  const { pairs, accepted, sent, ...wrong } = compare(Number(process.argv[2] ?? 200_000), Number(process.argv[3] ?? 1))
  for (const [word, list] of Object.entries(wrong)) {
    for (const difference of list.slice(0, Number(process.argv[4] ?? 5))) console.log(word, JSON.stringify(difference))
  }
  const counts = Object.entries(wrong).map(([word, { length }]) => `${word} ${length}`)
  console.log(`${pairs} pairs, ${accepted} accepted, ${sent} sent; ${counts.join(', ')}`)
  if (Object.values(wrong).some(({ length }) => length > 0)) process.exitCode = 1
}
