import type { Ajv2019 } from 'ajv/dist/2019.js'
import { badOption, type SecureWsError } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import { pathOf } from './compile.ts'
import { formatKinds } from './formats.ts'
import { keywords } from './keywords.ts'
import type { PlainSchema } from './plain-schema.ts'

const ajvModule = lazyLoad<typeof import('ajv/dist/2019.js')>('ajv/dist/2019.js')

/** The only Ajv of a program: its meta-schema takes longer to compile than most messages. */
let ajv: Ajv2019 | undefined

/**
 * Refuses a schema that means less than it says: a misspelt keyword, one with a value it cannot have, one without the `type` that it
 * is about (`{ minLength: 1 }` takes every number), a format nobody knows. Ajv is asked once, here, and never about a message.
 *
 * @throws SWS_BAD_OPTION
 */
export function refuseLoose(schema: PlainSchema, path: string): void {
  ajv ??= strictAjv()
  try {
    ajv.compile(schema)
  } catch (cause) {
    throw objectionTo(schema, path, cause instanceof Error ? cause.message : String(cause))
  } finally {
    // Ajv remembers every schema object it compiles; ours live as long as their route.
    ajv.removeSchema(schema)
  }
}

/** Ajv tells the place as a pointer into a schema that it prints whole: an author looks for the option that was written. */
function objectionTo(schema: PlainSchema, path: string, problem: string): SecureWsError {
  const [, keyword = '', pointer] = /missing type "[^"]*" for keyword "([^"]+)" at "#([^"]*)"/.exec(problem) ?? []
  if (pointer !== undefined) {
    const about = keywords.get(keyword)?.about ?? 'string'
    return badOption(
      `${path}${pathOf(pointer)}.${keyword}`,
      '(without a type)',
      `It is about one type, and a value of any other would pass whole: write \`type: '${about}'\` beside it.`,
    )
  }
  const [, type, context, inside] = /type "([^"]+)" not allowed by context "([^"]*)" at "#([^"]*)"/.exec(problem) ?? []
  if (inside !== undefined) {
    return badOption(
      `${path}${pathOf(inside)}.type`,
      type,
      `What it stands in says \`type: '${context}'\`, so no value can be both: write the same type, or one in the other place.`,
    )
  }
  return badOption(path, schema, `It does not compile: ${problem}.`)
}

function strictAjv(): Ajv2019 {
  const { Ajv2019 } = ajvModule()
  const made = new Ajv2019({
    strict: true,
    // Asked of a tuple is only what follows it (`copySchema`).
    strictTuples: false,
    allowUnionTypes: true,
    // A member with a name of its own that matches a pattern has both schemas.
    allowMatchingProperties: true,
    // Would refuse `required` beside `if`, where the property is described elsewhere.
    strictRequired: false,
    // Ours are checked before, and tell more.
    validateFormats: true,
    logger: false,
  })
  made.addKeyword({ keyword: 'sanitize', schemaType: 'array' })
  // TypeBox writes it beside `allOf` and no `type`.
  made.removeKeyword('unevaluatedProperties').addKeyword({
    keyword: 'unevaluatedProperties',
    schemaType: ['boolean', 'object'],
    macro: (members: unknown) => ({ type: 'object', additionalProperties: members }),
  })
  for (const [name, type] of formatKinds) {
    if (type === 'number') made.addFormat(name, { type, validate: () => true })
    else made.addFormat(name, { type, validate: () => true })
  }
  return made
}
