/**
 * Holds the validator of messages against an independent one. `node test/schema/differential.ts 200000 [seed]`; the tests run a
 * smaller count. Each line is a pair in which the two differ.
 */
import { compileSchema } from '../../src/inbound/schema.ts'
import { Oracle } from './oracle.ts'
import { Random, randomSchema, randomValue, type Schema } from './random-schemas.ts'

export interface Outcome {
  pairs: number
  accepted: number
  readonly admitted: Difference[]
  readonly refused: Difference[]
}
export interface Difference {
  readonly schema: Schema
  readonly value: unknown
  readonly reason: string | undefined
}

const valuesOfEach = 10

export function compare(count: number, seed: number): Outcome {
  const random = new Random(seed)
  const outcome: Outcome = { pairs: 0, accepted: 0, admitted: [], refused: [] }
  while (outcome.pairs < count) {
    const schema = randomSchema(random)
    let compiled: ReturnType<typeof compileSchema>
    try {
      compiled = compileSchema(schema, [], 'schema')
    } catch (error) {
      // A random schema may be one of its own parts, and is refused: see `refuses what is one of its own parts`.
      if (error instanceof Error && /own parts|does not compile|inherits this name/.test(error.message)) continue
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
      if ((reason === undefined) === expected) continue
      const list = expected ? outcome.refused : outcome.admitted
      list.push({ schema, value, reason })
    }
  }
  return outcome
}

if (process.argv[1] === import.meta.filename) {
  const { pairs, accepted, admitted, refused } = compare(
    Number(process.argv[2] ?? 200_000),
    Number(process.argv[3] ?? 1),
  )
  for (const [word, list] of Object.entries({ admitted, refused })) {
    for (const difference of list.slice(0, Number(process.argv[4] ?? 5))) console.log(word, JSON.stringify(difference))
  }
  console.log(
    `${pairs} pairs, ${accepted} accepted; wrongly admitted ${admitted.length}, wrongly refused ${refused.length}`,
  )
  if (admitted.length + refused.length > 0) process.exitCode = 1
}
