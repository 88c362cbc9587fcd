import { isDeepStrictEqual } from 'node:util'
import { badOption } from '../errors.ts'
import { type Beyond, beyondArktype, beyondZod } from './beyond-json-schema.ts'

/** The type of what a schema of another library accepts, as the library itself infers it (standardschema.dev). */
export interface StandardTyped<Output> {
  readonly '~standard': { readonly types?: { readonly output: Output } | undefined }
}

/** The part of Standard JSON Schema that is read here. */
interface Standard {
  readonly vendor: string
  readonly jsonSchema?: unknown
}

interface Converter {
  readonly input: (options: { readonly target: 'draft-07' }) => unknown
  readonly output: (options: { readonly target: 'draft-07' }) => unknown
}

/** For a schema that cannot say its own JSON Schema: what gives it. */
const helpers: ReadonlyMap<string, string> = new Map([
  ['zod', 'Update zod to 4.2 or newer.'],
  ['arktype', 'Update arktype to 2.1.28 or newer.'],
  ['valibot', 'Wrap it: `toStandardJsonSchema(schema)` of @valibot/to-json-schema.'],
])

/** Finds, by vendor, the part of a schema that its JSON Schema leaves out; `undefined` when there is none. */
const beyond: ReadonlyMap<string, (schema: unknown) => Beyond | undefined> = new Map([
  ['zod', beyondZod],
  ['arktype', beyondArktype],
])

const instead: { readonly [Kind in Beyond['kind']]: string } = {
  refinement: 'A refinement is not JSON Schema: ask in `authorize` of the message, or in the listener.',
  transform:
    "A transform is not JSON Schema, and a listener gets what the client wrote: transform there, or clean a string with `sanitize: ['trim']`.",
  flags:
    'A flag of a regular expression is not JSON Schema, and would not count: write its meaning into the expression, `[Aa]` for `/a/i`.',
  default: 'A default is not filled in: make it optional, and fill it in in the listener.',
}

/**
 * The JSON Schema of a schema of zod, arktype, valibot or any other library with Standard JSON Schema; anything else as it came.
 * A message is checked against that JSON Schema, never by the library: what it does not carry would silently not be asked.
 *
 * @throws SecureWsError SWS_BAD_OPTION for a refinement, a transform or a default, and where the library has no JSON Schema
 */
export function toJsonSchema(schema: unknown, path: string): unknown {
  const standard = standardOf(schema)
  if (standard === undefined) return schema
  const { vendor, jsonSchema } = standard
  const name = `(a schema of ${vendor})`
  if (!isConverter(jsonSchema)) {
    const helper = helpers.get(vendor) ?? 'Its library has no Standard JSON Schema for it: write JSON Schema.'
    throw badOption(path, name, helper)
  }
  const refused = beyond.get(vendor)?.(schema)
  if (refused !== undefined) throw badOption(`${path}${refused.at}`, name, instead[refused.kind])
  const [input, output] = [written(jsonSchema.input, path, name), written(jsonSchema.output, path, name)]
  // Who reads something else than was written transforms it, or fills in what is missing.
  if (!isDeepStrictEqual(open(input), open(output))) throw badOption(path, name, instead.transform)
  if (saysDefault(input)) throw badOption(path, name, instead.default)
  return input
}

function standardOf(schema: unknown): Standard | undefined {
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return undefined
  const standard: unknown = Reflect.get(schema, '~standard')
  if (typeof standard !== 'object' || standard === null) return undefined
  return { vendor: String(Reflect.get(standard, 'vendor')), jsonSchema: Reflect.get(standard, 'jsonSchema') }
}

function isConverter(value: unknown): value is Converter {
  if (typeof value !== 'object' || value === null) return false
  return ['input', 'output'].every((direction) => typeof Reflect.get(value, direction) === 'function')
}

function written(convert: Converter['input'], path: string, name: string): unknown {
  try {
    // Draft 7 is what every library writes, and what both directions of a route read. Read once, whatever its getters say next.
    return JSON.parse(JSON.stringify(convert({ target: 'draft-07' })))
  } catch (error) {
    const said = error instanceof Error ? error.message.replace(/\s+/g, ' ').slice(0, 200) : String(error)
    throw badOption(path, name, `Its library has no JSON Schema for it: ${said}`)
  }
}

/** An output that says it has no more than is declared says nothing new: every object of a message is closed. */
function open(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema), (_name, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    const { additionalProperties, ...rest } = part as { readonly additionalProperties?: unknown }
    return additionalProperties === false || additionalProperties === undefined
      ? rest
      : { ...rest, additionalProperties }
  })
}

function saysDefault(schema: unknown): boolean {
  let found = false
  // Members of `properties` may be named `default`, and are objects or booleans of `properties`: looked for by their holder.
  const look = (part: unknown, named: boolean): void => {
    if (typeof part !== 'object' || part === null) return
    for (const [name, each] of Object.entries(part)) {
      if (name === 'default' && !named && !Array.isArray(part)) found = true
      else if (name !== 'const' && name !== 'enum') look(each, !named && ofNames.has(name))
    }
  }
  look(schema, false)
  return found
}

const ofNames: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions'])
