import { badOption } from '../errors.ts'
import type { Plan } from '../schema/cleaning-plan.ts'
import { planCleaning } from '../schema/cleaning-plan.ts'
import type { PlainSchema } from '../schema/plain-schema.ts'
import { copySchema, inPlace, isSchema, takesObjects } from '../schema/plain-schema.ts'
import { checkValue, compilePlain } from '../schema/schema.ts'
import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

/** What was changed by cleaning is checked once more. */
export const checksWhereCleaned = 2

/** A schema ready for messages. */
export interface MessageSchema {
  refuse(message: object): Refusal | undefined
  /** As it was declared, and as nobody can change it any more. */
  readonly plain: PlainSchema
  /** The cleaning of a message that the schema has admitted; `undefined` when nothing is to be sanitized. */
  readonly cleaning: Plan | undefined
}

/**
 * Compiles a message's schema: JSON Schema 2019-09 and draft-07 (what TypeBox writes), strict, without coercion and defaults,
 * every object closed unless it says otherwise. It describes the message without its envelope, so it may not
 * name a member of `envelope`.
 *
 * @throws SWS_BAD_OPTION for a schema that is wrong, or asks for what is not checked
 */
export function compileSchema(schema: unknown, envelope: readonly string[], path: string): MessageSchema {
  const plain = copySchema(schema, path, false)
  if (!takesObjects(plain, plain)) {
    throw badOption(path, plain, "A message is an object: write `Type.Object({ ... })` or `{ type: 'object', ... }`.")
  }
  refuseEnvelope(plain, { root: plain, envelope, path, seen: new Set() })
  const tree = compilePlain(plain, path, false)
  const cleaning = planCleaning(plain, path)
  const checks = cleaning === undefined ? 1 : checksWhereCleaned
  return {
    plain,
    cleaning,
    refuse(message) {
      const { fault } = checkValue(tree, message, checks)
      // Where in the schema, never where in the message: a path into the message has names the client chose.
      return fault && refuse('SWS_INVALID_MESSAGE', `schema: ${fault.keyword} at ${fault.schemaPath}`)
    },
  }
}

interface EnvelopeCheck {
  readonly root: PlainSchema
  readonly envelope: readonly string[]
  readonly path: string
  readonly seen: Set<PlainSchema>
}

/** The envelope never reaches the schema, so naming a member of it would describe a message that cannot exist. */
function refuseEnvelope(schema: PlainSchema, check: EnvelopeCheck): void {
  if (check.seen.has(schema)) return
  check.seen.add(schema)
  for (const name of check.envelope) {
    const described = isSchema(schema.properties) && Object.hasOwn(schema.properties, name)
    if (!described && !(Array.isArray(schema.required) && schema.required.includes(name))) continue
    throw badOption(
      `${check.path}.properties.${name}`,
      name,
      'It belongs to the envelope, and is checked and taken off before the schema: leave it out, or choose another name.',
    )
  }
  for (const same of inPlace(schema, check.root)) refuseEnvelope(same, check)
}
