import type { CodeKeywordDefinition, KeywordCxt, ValidateFunction } from 'ajv'
import type { Ajv2019 } from 'ajv/dist/2019.js'
import { ajv2019Module, ajvModule } from './ajv.ts'
import { messageFormats } from './formats.ts'
import { multipleOfKeyword } from './multiple-of.ts'
import { hasInheritedName, ownNamesKeyword } from './own-names.ts'
import type { PlainSchema } from './plain-schema.ts'
import { isSchema, keywordRoles } from './plain-schema.ts'
import { uniqueItemsKeyword } from './unique-items.ts'
import { mostVisits, visitKeyword, visits } from './visits.ts'

/**
 * Our own compiler, and nobody else's: Fastify's coerces `"5"` to 5, fills in defaults and drops what it does not know (MS-08).
 * One per program: its meta-schema alone takes longer to compile than most messages.
 */
let made: { readonly strictTypes: Ajv2019; readonly closedUnions: Ajv2019 } | undefined

function compilers(): NonNullable<typeof made> {
  made ??= { strictTypes: createCompiler(true), closedUnions: createCompiler(false) }
  return made
}

/** Why ajv said no: where in the schema, not where in the message. */
export interface Fault {
  readonly keyword: string
  readonly schemaPath: string
}

/**
 * @param written the schema as its author wrote it: types must be explicit (`{ minLength: 1 }` alone would take a number)
 * @param closed what is compiled. Closing a bare `anyOf` puts a keyword for objects beside no `type`, so this one may do that
 * @throws Error, ajv's own
 */
export function compileValidator(written: PlainSchema, closed: PlainSchema): (message: object) => Fault | undefined {
  const validate = compileEither(written, closed)
  return (message) => {
    visits.count = 0
    const valid = validate(message)
    // Looked at even after a yes: inside a `not`, a visit too many would have been one.
    if (visits.count > mostVisits) return { keyword: 'too much work', schemaPath: '#' }
    return valid ? undefined : (validate.errors?.[0] ?? { keyword: 'refused', schemaPath: '#' })
  }
}

function compileEither(written: PlainSchema, closed: PlainSchema): ValidateFunction {
  if (!usesUnevaluated(closed)) return compileOnce(compilers().strictTypes, closed)
  compileOnce(compilers().strictTypes, withoutUnevaluated(written))
  return compileOnce(compilers().closedUnions, closed)
}

function compileOnce(ajv: Ajv2019, schema: PlainSchema): ValidateFunction {
  try {
    return ajv.compile(schema)
  } finally {
    // ajv remembers every schema object it compiles; ours live as long as their route.
    ajv.removeSchema(schema)
  }
}

function createCompiler(strictTypes: boolean): Ajv2019 {
  const { _ } = ajvModule()
  const { Ajv2019 } = ajv2019Module()
  const ajv = new Ajv2019({
    strict: true,
    strictTypes,
    strictTuples: true,
    allowUnionTypes: true,
    coerceTypes: false,
    useDefaults: false,
    removeAdditional: false,
    allErrors: false,
    // What a polluted Object.prototype has is not in the message.
    ownProperties: true,
    $data: false,
    validateFormats: true,
    // Would refuse `required` beside `if`, where the property is described elsewhere.
    strictRequired: false,
    logger: false,
  })
  for (const keyword of ['maxLength', 'minLength'] as const) {
    ajv.removeKeyword(keyword)
    ajv.addKeyword(lengthKeyword(keyword))
  }
  for (const keyword of [uniqueItemsKeyword, multipleOfKeyword]) {
    ajv.removeKeyword(keyword.keyword).addKeyword(keyword)
  }
  ajv.addKeyword({
    keyword: ownNamesKeyword,
    type: 'object',
    schemaType: 'boolean',
    code(cxt: KeywordCxt) {
      cxt.fail(_`${cxt.gen.scopeValue('func', { ref: hasInheritedName })}(${cxt.data})`)
    },
  })
  ajv.addKeyword({ keyword: 'sanitize', schemaType: 'array' })
  ajv.addKeyword({
    keyword: visitKeyword,
    schemaType: 'boolean',
    before: '$ref',
    code(cxt: KeywordCxt) {
      cxt.fail(_`++${cxt.gen.scopeValue('obj', { ref: visits })}.count > ${mostVisits}`)
    },
  })
  for (const [name, format] of messageFormats()) ajv.addFormat(name, format)
  return ajv
}

/**
 * JSON Schema counts code points, which means reading the text (36 microseconds for 16 KiB). A text has at most as many code
 * points as UTF-16 units and at least half as many, so the units nearly always settle it. `before: 'pattern'`: an over-long text
 * never reaches a regular expression.
 */
function lengthKeyword(keyword: 'maxLength' | 'minLength'): CodeKeywordDefinition {
  const { _ } = ajvModule()
  return {
    keyword,
    type: 'string',
    schemaType: 'number',
    before: 'pattern',
    code(cxt: KeywordCxt) {
      const { gen, data } = cxt
      const limit = Number(cxt.schema)
      const count = gen.scopeValue('func', { ref: countCodePoints })
      cxt.fail(
        keyword === 'maxLength'
          ? _`${data}.length > ${limit} && (${data}.length > ${2 * limit} || ${count}(${data}) > ${limit})`
          : _`${data}.length < ${limit} || (${data}.length < ${2 * limit} && ${count}(${data}) < ${limit})`,
      )
    },
  }
}

function countCodePoints(text: string): number {
  let count = text.length
  for (let at = 1; at < text.length; at++) {
    const isPair = (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800
    if (isPair) count--
  }
  return count
}

function usesUnevaluated(schema: PlainSchema): boolean {
  return JSON.stringify(schema).includes('"unevaluatedProperties"')
}

function withoutUnevaluated(schema: PlainSchema): PlainSchema {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => keyword !== 'unevaluatedProperties')
      .map(([keyword, value]) => {
        const role = keywordRoles.get(keyword)
        if (role === undefined) return [keyword, value]
        const grouped = role === 'members' || role === 'dependents' || role === 'definitions'
        if (grouped && isSchema(value)) {
          return [keyword, Object.fromEntries(Object.entries(value).map(([name, each]) => [name, strip(each)]))]
        }
        return [keyword, Array.isArray(value) ? value.map(strip) : strip(value)]
      }),
  )
}

function strip(schema: unknown): unknown {
  return isSchema(schema) ? withoutUnevaluated(schema) : schema
}
