import type { FastifyRequest } from 'fastify'
import { type Refusal, type RefusalCause, refuse } from '../http/refusal.ts'
import { after, isThenable } from '../thenable.ts'

export interface SchemaVerdict {
  readonly refusal: Refusal | undefined
  /** Puts back what a validator replaced: Fastify runs it again later, on what the client wrote. */
  restore(): void
}

const parts = [
  { part: 'params', key: 'params' },
  { part: 'querystring', key: 'query' },
  { part: 'headers', key: 'headers' },
] as const

/** The parts of the `schema` of a route that a handshake has to fit. */
export function requestSchemasOf(schema: unknown): Readonly<Record<string, unknown>> {
  if (typeof schema !== 'object' || schema === null) return {}
  // Fastify takes `query` for `querystring`.
  const of = ({ part, key }: (typeof parts)[number]): unknown => Reflect.get(schema, part) ?? Reflect.get(schema, key)
  return Object.fromEntries(parts.map((each) => [each.part, of(each)]).filter(([, found]) => found !== undefined))
}

const unchanged = () => {}

/** Whether there is anything to check: most routes of sockets say nothing of their params, query or headers. */
export function hasRouteSchema(request: FastifyRequest): boolean {
  for (const { part } of parts) if (request.getValidationFunction(part) !== undefined) return true
  return false
}

/**
 * Fastify validates after its `onRequest` hooks, which is after us, and answers with what the schema wanted. A handshake is
 * validated here first: `authorize` sees what the schema describes, and a refusal says as little as any other and is an
 * audit event.
 *
 * The validators are Fastify's, which answer true or false and coerce in place, or those of the application's
 * `setValidatorCompiler`, which answer `{ value }` or `{ error }`; either may be a promise. Any other answer is a no.
 */
export function checkRouteSchema(request: FastifyRequest): SchemaVerdict | Promise<SchemaVerdict> {
  return checkFrom(0, unchanged)

  function checkFrom(index: number, restore: () => void): SchemaVerdict | Promise<SchemaVerdict> {
    const checked = parts[index]
    if (checked === undefined) return { refusal: undefined, restore }
    const { part, key } = checked
    const validate = request.getValidationFunction(part)
    if (validate === undefined) return checkFrom(index + 1, restore)
    const refused = (cause?: RefusalCause) => ({
      refusal: refuse('SWS_BAD_HANDSHAKE', `${part} do not fit the schema`, cause === undefined ? {} : { cause }),
      restore,
    })
    const misfit = refused()
    let answer: unknown
    try {
      answer = validate(request[key])
    } catch (error) {
      return refused({ by: `the validator of ${part}`, error })
    }
    // What an async validator resolves with is the client's text, not a verdict: that it resolved is.
    if (isThenable(answer)) {
      return after(
        answer,
        (late: unknown) => (late === false ? misfit : checkFrom(index + 1, restore)),
        () => misfit,
      )
    }
    if (answer === true) return checkFrom(index + 1, restore)
    if (!isValue(answer)) return misfit
    if (key === 'headers') return checkFrom(index + 1, restore)
    const before = request[key]
    request[key] = answer.value
    return checkFrom(index + 1, () => {
      request[key] = before
      restore()
    })
  }
}

function isValue(answer: unknown): answer is { readonly value: unknown } {
  if (typeof answer !== 'object' || answer === null || answer instanceof Error) return false
  return 'value' in answer && !('error' in answer && Boolean(answer.error))
}
