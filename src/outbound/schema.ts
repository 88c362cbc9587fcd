import { badOption, SecureWsError } from '../errors.ts'
import { answerTypes } from '../schema/message-type.ts'
import { copySchema, isSchema, takesObjects } from '../schema/plain-schema.ts'
import type { Fault } from '../schema/work.ts'
import { quoted } from '../telemetry/quoted.ts'
import { nameOfThrown } from '../telemetry/thrown.ts'
import { compileProjection, type Projected, type Projection } from './declared.ts'
import { type Encoded, encodedAs } from './encoded.ts'
import { notEncodable, stringify } from './json.ts'
import { askedToJson, Bare, type Place, type Special, settled } from './projection.ts'
import { type Underway, underway } from './underway.ts'
import { isSafeUrl, unsafeUrl } from './url.ts'

/** The declarations of a route under `secureWs.sends`: the schema of each message it may send, without its `type`. */
export type Sends = { readonly [type: string]: { readonly schema: object; readonly reply?: unknown } }

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
export function compileSends(
  sends: Sends,
  path: string,
  sanitizeHtml: SanitizeHtml,
  warn: (text: string) => void,
): DeclaredOutput {
  if (!isSchema(sends)) throw badOption(path, sends, 'Write { said: { schema: Type.Object({ ... }) } }.')
  const declared = new Map<unknown, Projection>()
  for (const [type, declaration] of Object.entries(sends)) declared.set(type, compileType(type, declaration, path))
  const warnOnce = warnOfMarkup(path, warn)
  const names = [...declared.keys()].join(', ') || 'none'
  return (value) => {
    let type: unknown
    let projected: Projected
    try {
      const body = askedToJson(value, '')
      const message = isSchema(body) ? body : {}
      type = message.type
      const output = declared.get(type)
      if (output === undefined) throw undeclared(type, path, names)
      projected = output(message, undefined, type)
    } catch (cause) {
      throw notEncodable(cause)
    }
    judge(projected, 'message', String(type), warnOnce)
    return withMarkup(messageOf(type, projected.copy), projected.specials, sanitizeHtml)
  }
}

function messageOf(type: unknown, copy: unknown): object {
  const message = new Bare()
  message.type = type
  // Nothing is inherited by a copy of ours.
  if (isSchema(copy)) for (const name in copy) message[name] = copy[name]
  return message
}

/**
 * Compiles the `reply` of a received type: of any kind of value, and read as `sends` is read. A listener that returns nothing
 * has a reply that is not as declared.
 *
 * @param type of the message that is replied to, for errors
 * @throws SecureWsError as `compileSends` does
 */
export function compileReply(
  type: string,
  schema: unknown,
  path: string,
  sanitizeHtml: SanitizeHtml,
  warn: (text: string) => void,
): DeclaredReply {
  if (!isSchema(schema)) throw badOption(path, schema, 'Write a schema, of any kind of value.')
  const output = compileProjection(copySchema(schema, path, true), path)
  const warnOnce = warnOfMarkup(path, warn)
  const place: Place = { above: undefined, key: 'value' }
  return (value) => {
    let projected: Projected
    try {
      projected = output(settled(value, 'value'), place)
    } catch (cause) {
      throw notEncodable(cause)
    }
    judge(projected, 'reply to', type, warnOnce)
    return withMarkup({ value: projected.copy }, projected.specials, sanitizeHtml)
  }
}

/** Markup of the application's in a text: no attack, and seldom meant. The types refuse it where they can tell. */
function warnOfMarkup(path: string, warn: (text: string) => void): (name: string) => void {
  const warned = new Set<string>()
  return (name) => {
    if (warned.has(name)) return
    warned.add(name)
    warn(
      `fastify-secure-ws: ${path}: the ${name} has markup (an Encoded<'html'>) where a text is declared: it is encoded as text, and its tags are shown. Write \`contentMediaType: 'text/html'\` in the schema of that member, or send the text.`,
    )
  }
}

/** @throws SecureWsError SWS_INVALID_OUTPUT, SWS_UNSAFE_URL */
function judge(
  { fault, specials, shown }: Projected,
  kind: 'message' | 'reply to',
  type: string,
  warn: (name: string) => void,
): void {
  if (fault === undefined && shown === undefined && specials.length === 0) return
  const name = `${kind} "${type}"`
  if (fault !== undefined) throw invalid(name, fault)
  for (const special of specials) {
    if (special.kind !== 'url' || isSafeUrl(String(special.given))) continue
    throw unsafeUrl(`${nameOf(special.place)} of the ${name}`)
  }
  if (shown !== undefined) warn(name)
}

/** A type is a name that the application chose, but it may have taken it from a client: quoted, and cut. */
function undeclared(type: unknown, path: string, names: string): SecureWsError {
  const sent = typeof type === 'string' ? `has no type "${quoted(type, 64)}"` : 'was sent something without a `type`'
  return new SecureWsError(
    'SWS_UNDECLARED_TYPE',
    `\`${path}\` ${sent}: the types of this route are declared in sends: ${names}`,
  )
}

/** The cause has the place in the schema: unlike one in the value, it has no name that a client may have chosen. */
function invalid(name: string, { keyword, schemaPath, place, problem }: Fault): SecureWsError {
  const path = keyword === 'anyOf' || keyword === 'oneOf' ? place.join('.') : place.map((step) => `/${step}`).join('')
  return new SecureWsError('SWS_INVALID_OUTPUT', `The ${name} is not as declared: ${path || 'it'} ${problem}`, {
    cause: new Error(`schema: ${keyword} at ${schemaPath}`),
  })
}

/** The reason of a refused output for its event, where the code does not say all: nothing of the value is in it. */
export function reasonOfRefused(error: unknown): string | undefined {
  if (!(error instanceof SecureWsError)) return nameOfThrown(error)
  const { code, cause, message } = error
  if (code === 'SWS_INVALID_OUTPUT') return cause instanceof Error ? cause.message : undefined
  return code === 'SWS_NOT_ENCODABLE' || code === 'SWS_UNSAFE_URL' ? undefined : message
}

function compileType(type: string, declaration: unknown, path: string): Projection {
  const at = `${path}.${type}`
  if (type === '' || answerTypes.has(type))
    throw badOption(
      at,
      type,
      'Use another name: requests, replies, errors, `left` and `expiring` are messages of this package.',
    )
  if (!isSchema(declaration) || !isSchema(declaration.schema)) {
    throw badOption(`${at}.schema`, isSchema(declaration) ? declaration.schema : declaration, 'Write a schema.')
  }
  // A reply comes in: it is compiled with what is received.
  const stray = Object.keys(declaration).find((name) => name !== 'schema' && name !== 'reply')
  if (stray !== undefined)
    throw badOption(`${at}.${stray}`, declaration[stray], 'Only `schema` and `reply` are known here.')
  const plain = copySchema(declaration.schema, `${at}.schema`, true)
  const output = compileProjection(plain, `${at}.schema`)
  if (takesObjects(plain, plain)) return output
  throw badOption(
    `${at}.schema`,
    plain,
    "A message is an object: write `Type.Object({ ... })` or `{ type: 'object', ... }`.",
  )
}

function withMarkup(
  message: object,
  specials: readonly Special[],
  sanitizeHtml: SanitizeHtml,
): object | Underway<object> {
  if (specials.length === 0) return message
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
