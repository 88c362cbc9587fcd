import type { Ajv, ValidateFunction } from 'ajv'
import { badOption, SecureWsError } from '../errors.ts'
import { ajvModule, formatsModule } from '../schema/ajv.ts'
import { countLengthsQuickly } from '../schema/length.ts'
import { answerTypes } from '../schema/message-type.ts'
import { multipleOfKeyword } from '../schema/multiple-of.ts'
import { copyOutputSchema, isSchema, type OutputSchema, pointedAt } from '../schema/output-schema.ts'
import { uniqueItemsKeyword } from '../schema/unique-items.ts'
import { quoted } from '../telemetry/quoted.ts'
import { type Encoded, encodedAs } from './encoded.ts'
import { notEncodable, stringify } from './json.ts'
import {
  askedToJson,
  Bare,
  compileProjection,
  type Place,
  type Projection,
  type Special,
  settled,
} from './projection.ts'
import { type Underway, underway } from './underway.ts'
import { isSafeUrl, unsafeUrl } from './url.ts'

/** What a route declares under `secureWs.sends`: the schema of each message it may send, without its `type`. */
export type Sends = { readonly [type: string]: { readonly schema: object } }

/** A message with only what is declared, checked, its markup fields `Encoded`. Waits only for the sanitizer. */
export type DeclaredOutput = (value: unknown) => object | Underway<object>

/** A listener's return value with only what is declared, as the member `value` of an answer. Waits only for the sanitizer. */
export type DeclaredReply = (value: unknown) => object | Underway<object>

export type SanitizeHtml = (dirty: string) => string | Encoded<'html'> | Promise<string | Encoded<'html'>>

/**
 * Compiles `sends`. A schema describes the message without its `type`; it may name `type` as well. What it does not
 * declare is dropped; `additionalProperties: true` (or a schema) keeps the rest.
 * - `contentMediaType: 'text/html'`: an `Encoded<'html'>` stays, a string is sanitized
 * - `format: 'uri'` and the like: http, https, mailto or relative
 * - any other string is text, also when it comes from an `Encoded`: which members are markup is said here only
 *
 * @throws SecureWsError SWS_BAD_OPTION here; on sending SWS_UNDECLARED_TYPE, SWS_INVALID_OUTPUT, SWS_UNSAFE_URL,
 *   SWS_NOT_ENCODABLE, and whatever the sanitizer throws
 */
export function compileSends(sends: Sends, path: string, sanitizeHtml: SanitizeHtml): DeclaredOutput {
  if (!isSchema(sends)) throw badOption(path, sends, 'Write { said: { schema: Type.Object({ ... }) } }.')
  const declared = new Map<unknown, Output>()
  for (const [type, declaration] of Object.entries(sends)) declared.set(type, compileType(type, declaration, path))
  const names = [...declared.keys()].join(', ') || 'none'
  return (value) => {
    const specials: Special[] = []
    let type: unknown
    let output: Output | undefined
    const copy = new Bare()
    try {
      const body = askedToJson(value, '')
      const message = isSchema(body) ? body : {}
      type = message.type
      output = declared.get(type)
      if (output === undefined) throw undeclared(type, path, names)
      Object.assign(copy, output.project(message, specials), output.namesType && { type })
    } catch (cause) {
      throw notEncodable(cause)
    }
    check(output, copy, specials, `message "${type}"`)
    return withMarkup({ type, ...copy }, specials, sanitizeHtml)
  }
}

/**
 * Compiles the `reply` of a received type: of any kind of value, and read as `sends` is read. A listener that returns nothing
 * has a reply that is not as declared.
 *
 * @param type of the message that is replied to, for errors
 * @throws SecureWsError as `compileSends` does
 */
export function compileReply(type: string, schema: unknown, path: string, sanitizeHtml: SanitizeHtml): DeclaredReply {
  if (!isSchema(schema)) throw badOption(path, schema, 'Write a schema, of any kind of value.')
  const output = compileOutput(schema, path)
  const place: Place = { above: undefined, key: 'value' }
  return (value) => {
    const specials: Special[] = []
    let copy: unknown
    try {
      const given = settled(value, 'value')
      copy = given === undefined ? undefined : output.project(given, specials, place)
    } catch (cause) {
      throw notEncodable(cause)
    }
    check(output, copy, specials, `reply to "${type}"`)
    return withMarkup({ value: copy }, specials, sanitizeHtml)
  }
}

function check({ validate }: Output, copy: unknown, specials: readonly Special[], name: string): void {
  const misfit = specials.find(({ kind }) => kind === 'misfit')
  if (misfit !== undefined) throw invalid(name, `${nameOf(misfit.place)} matches no branch of its union`)
  if (!validate(copy)) throw invalid(name, problemOf(validate))
  for (const special of specials) {
    if (special.kind !== 'url' || isSafeUrl(String(special.given))) continue
    throw unsafeUrl(`${nameOf(special.place)} of the ${name}`)
  }
}

/** A type is a name that the application chose, but it may have taken it from a client: quoted, and cut. */
function undeclared(type: unknown, path: string, names: string): SecureWsError {
  const sent = typeof type === 'string' ? `has no type "${quoted(type, 64)}"` : 'was sent something without a `type`'
  return new SecureWsError(
    'SWS_UNDECLARED_TYPE',
    `\`${path}\` ${sent}: the types of this route are declared in sends: ${names}`,
  )
}

function invalid(name: string, problem: string): SecureWsError {
  return new SecureWsError('SWS_INVALID_OUTPUT', `The ${name} is not as declared: ${problem}`)
}

function problemOf({ errors }: ValidateFunction): string {
  const { instancePath = '', message = '' } = errors?.[0] ?? {}
  return `${instancePath || 'it'} ${message}`
}

type Output = { readonly project: Projection; readonly validate: ValidateFunction; readonly namesType: boolean }

let ajv: Ajv | undefined
let compiledSchemas = 0

function compileType(type: string, declaration: unknown, path: string): Output {
  const at = `${path}.${type}`
  if (type === '' || answerTypes.has(type))
    throw badOption(at, type, 'Use another name: replies, errors and `left` are answers of this package.')
  if (!isSchema(declaration) || !isSchema(declaration.schema)) {
    throw badOption(`${at}.schema`, isSchema(declaration) ? declaration.schema : declaration, 'Write a schema.')
  }
  const stray = Object.keys(declaration).find((name) => name !== 'schema')
  if (stray !== undefined) throw badOption(`${at}.${stray}`, declaration[stray], 'Only `schema` is known here.')
  return compileOutput(declaration.schema, `${at}.schema`)
}

function compileOutput(given: OutputSchema, path: string): Output {
  const schema = copyOutputSchema(given, path)
  ajv ??= strictAjv()
  const compiler = ajv
  compiledSchemas += 1
  const key = `sends-${compiledSchemas}`
  try {
    compiler.addSchema(schema, key)
    const compile = (pointer: string): ValidateFunction => {
      const validate = compiler.getSchema(key + pointer)
      if (validate === undefined) throw new TypeError(`there is no schema at ${pointer}`)
      return validate
    }
    const validate = compile('')
    return { project: compileProjection(schema, compile, path), validate, namesType: namesType(schema, schema) }
  } catch (cause) {
    if (cause instanceof SecureWsError) throw cause
    throw badOption(path, schema, `It does not compile: ${cause instanceof Error ? cause.message : cause}.`)
  } finally {
    compiler.removeSchema(key)
  }
}

function strictAjv(): Ajv {
  const { Ajv } = ajvModule()
  const made = new Ajv({ strictTypes: false, strictTuples: false })
  countLengthsQuickly(made)
  for (const keyword of [uniqueItemsKeyword, multipleOfKeyword]) {
    made.removeKeyword(keyword.keyword).addKeyword(keyword)
  }
  for (const [name, format] of Object.entries(formatsModule().fullFormats)) made.addFormat(name, format)
  // Checked on the way out by `isSafeUrl`, which also takes relative URLs.
  for (const name of ['uri', 'uri-reference', 'iri', 'iri-reference', 'url']) made.addFormat(name, true)
  // A schema shared with `receives` may carry it; cleaning happens on the way in.
  made.addKeyword('sanitize')
  return made
}

// A schema that is itself one of its own parts runs out of stack here, and is refused: to validate would never end.
function namesType(schema: unknown, root: OutputSchema): boolean {
  if (!isSchema(schema)) return false
  const parts: unknown[] = [schema.allOf, schema.anyOf, schema.oneOf].flatMap((part) => part ?? [])
  if (typeof schema.$ref === 'string') parts.push(pointedAt(root, schema.$ref))
  const named = parts.map((part) => namesType(part, root)).includes(true)
  return named || (isSchema(schema.properties) && Object.hasOwn(schema.properties, 'type'))
}

function withMarkup(
  message: object,
  specials: readonly Special[],
  sanitizeHtml: SanitizeHtml,
): object | Underway<object> {
  const waiting: Promise<void>[] = []
  try {
    for (const special of specials) {
      if (special.kind !== 'html') continue
      const { place, given } = special
      const clean = typeof given === 'string' ? sanitizeHtml(given) : given
      if (clean instanceof Promise) waiting.push(clean.then((text) => put(message, place, text)))
      else put(message, place, clean)
    }
    if (waiting.length === 0) return message
    const bytes = Buffer.byteLength(stringify(message))
    const made = Promise.all(waiting).then(() => message)
    return underway(made, bytes)
  } catch (cause) {
    // What is under way may be refused, too, and a rejection that nobody hears ends the process.
    void Promise.allSettled(waiting)
    throw cause
  }
}

function put(message: object, place: Place, clean: string | Encoded<'html'>): void {
  const holder = place.above === undefined ? message : holderOf(message, place.above)
  Reflect.set(holder, place.key, typeof clean === 'string' ? encodedAs('html', clean) : clean)
}

function holderOf(message: object, place: Place): object {
  return Reflect.get(place.above === undefined ? message : holderOf(message, place.above), place.key) as object
}

function nameOf(place: Place | undefined): string {
  if (place === undefined) return 'it'
  return place.above === undefined ? String(place.key) : `${nameOf(place.above)}.${place.key}`
}
