import { messageRefusals } from '../errors.ts'
import { declinedCodes } from '../inbound/answer.ts'
import type { PlainSchema } from '../schema/plain-schema.ts'
import { type Envelope, enveloped } from './envelope.ts'
import { addressOf, Keys } from './keys.ts'
import { hasReference, portableSchema } from './portable-schema.ts'
import { idSchema, ofEveryRoute, refusalsOf } from './protocol.ts'

/** The words of a contract that its routes do not say. */
export interface ContractOptions {
  /** `info.title`. Default `'WebSocket routes'`. */
  readonly title?: string
  /** `info.version`: of your messages, not of this package. Default `'1.0.0'`. */
  readonly version?: string
  /** The server, as `'wss://api.example'`. Default: the document names none. */
  readonly server?: string
}

/** An AsyncAPI 3 document: plain values, for `JSON.stringify`. */
export interface Contract {
  /** The version of AsyncAPI. */
  readonly asyncapi: '3.0.0'
  /** Title and version, as they were given. */
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  /** The media type of messages. */
  readonly defaultContentType: 'application/json'
  /** The server, where one was given. */
  readonly servers?: Readonly<Record<string, object>>
  /** A channel for each route. */
  readonly channels: Readonly<Record<string, object>>
  /** An operation for each message: the server's view, so that `receive` is what a client sends. */
  readonly operations: Readonly<Record<string, object>>
  /** Messages, schemas of which something refers to a part, and security schemes. */
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>
  /** The handshake's refusals and the close codes, which are the same on every route. */
  readonly 'x-secure-ws': object
}

/** A received type as it was declared, with copied schemas. */
export interface ContractRule {
  readonly schema: PlainSchema
  readonly reply: PlainSchema | undefined
  readonly authorize: boolean
  readonly rate: unknown
  readonly replay: { readonly window: number } | undefined
  readonly freshAuth: number | undefined
}

/** A route as its clients know it. */
export interface ContractRoute {
  readonly url: string
  readonly schemes: readonly { readonly method: string; readonly scheme: object }[]
  readonly anonymous: boolean
  /** Whether a new token may be sent on the open socket. */
  readonly refreshable: boolean
  readonly protocols: readonly string[]
  readonly encode: string
  readonly binary: readonly string[] | undefined
  readonly receives: ReadonlyMap<string, ContractRule> | undefined
  readonly sends: ReadonlyMap<string, PlainSchema> | undefined
  /** Of the types that the server may ask a client: what the client answers. */
  readonly answers: ReadonlyMap<string, PlainSchema>
  /** Those that a client can run into by what it does on one socket. */
  readonly limits: object
}

type Entries = Map<string, object>

interface Draft {
  readonly channels: Entries
  readonly operations: Entries
  readonly messages: Entries
  readonly schemas: Entries
  readonly schemes: Map<string, { readonly key: string; readonly scheme: object }>
  /** A name may be taken in each of them. */
  readonly keys: { readonly [Of in 'channels' | 'operations' | 'messages' | 'schemas' | 'schemes']: Keys }
}

/** A message, and the operations it takes part in. */
interface Described {
  readonly key: string
  readonly message: object
}

/** Describes routes as AsyncAPI 3. Nothing in it is a function, a secret or a rule on who may connect from where. */
export function describeRoutes(routes: readonly ContractRoute[], options: ContractOptions): Contract {
  const draft: Draft = {
    ...{ channels: new Map(), operations: new Map(), messages: new Map(), schemas: new Map(), schemes: new Map() },
    keys: {
      ...{ channels: new Keys(), operations: new Keys() },
      ...{ messages: new Keys(), schemas: new Keys(), schemes: new Keys() },
    },
  }
  for (const route of routes) describeRoute(route, draft)
  const { title = 'WebSocket routes', version = '1.0.0', server } = options
  const schemes = [...draft.schemes.values()].map(({ key, scheme }) => [key, scheme] as const)
  return {
    asyncapi: '3.0.0',
    info: { title, version, description: 'A message is a text frame: one JSON object with a string `type`.' },
    defaultContentType: 'application/json',
    ...(server !== undefined && { servers: { server: serverOf(server) } }),
    channels: Object.fromEntries(draft.channels),
    operations: Object.fromEntries(draft.operations),
    components: {
      messages: Object.fromEntries(draft.messages),
      schemas: Object.fromEntries(draft.schemas),
      securitySchemes: Object.fromEntries(schemes),
    },
    'x-secure-ws': ofEveryRoute,
  }
}

function serverOf(url: string): object {
  const { protocol, host, pathname } = new URL(url)
  return { protocol: protocol.slice(0, -1), host, ...(pathname !== '/' && { pathname }) }
}

function describeRoute(route: ContractRoute, draft: Draft): void {
  const channel = draft.keys.channels.of(route.url)
  const channelRef = { $ref: `#/channels/${channel}` }
  const security = route.schemes.map((each) => ({ $ref: `#/components/securitySchemes/${schemeKey(each, draft)}` }))
  const listed: Entries = new Map()
  const names = new Keys()

  function add(wanted: string, message: object): Described {
    const key = names.of(wanted)
    const component = draft.keys.messages.of(`${channel}.${key}`)
    draft.messages.set(component, message)
    listed.set(key, { $ref: `#/components/messages/${component}` })
    return { key, message }
  }
  const refs = (described: readonly Described[]) =>
    described.map(({ key }) => ({ $ref: `#/channels/${channel}/messages/${key}` }))
  function operate(action: 'receive' | 'send', described: readonly Described[], name: string, more: object = {}): void {
    const operation = {
      action,
      channel: channelRef,
      messages: refs(described),
      ...(security.length > 0 && { security }),
    }
    draft.operations.set(draft.keys.operations.of(`${channel}.${name}`), { ...operation, ...more })
  }

  const { receives, sends, answers, binary } = route
  const errors = receives === undefined ? [] : [add('error', errorMessage())]
  for (const [type, rule] of receives ?? []) {
    const received = add(`receive.${type}`, receivedMessage(type, rule, bodyAt(channel, `receive.${type}`, draft)))
    const reply = add(
      `reply.${type}`,
      replyMessage(type, rule, sends !== undefined, bodyAt(channel, `reply.${type}`, draft)),
    )
    operate('receive', [received], received.key, { reply: { channel: channelRef, messages: refs([reply, ...errors]) } })
  }
  for (const [type, schema] of sends ?? []) {
    const message = sentMessage(type, schema, bodyAt(channel, `send.${type}`, draft))
    const sent = add(`send.${type}`, message)
    operate('send', [sent], sent.key)
    const answer = answers.get(type)
    if (answer === undefined) continue
    const asked = add(`send.request.${type}`, requestMessage(type, message.payload))
    const answered = answerMessage(type, answer, bodyAt(channel, `receive.reply.${type}`, draft))
    const reply = [add(`receive.reply.${type}`, answered), add(`receive.error.${type}`, declinedMessage(type))]
    operate('send', [asked], asked.key, { reply: { channel: channelRef, messages: refs(reply) } })
  }
  for (const mediaType of binary ?? []) {
    const frame = add(`receive.binary.${mediaType}`, frameMessage(mediaType))
    operate('receive', [frame], frame.key)
  }
  if (receives === undefined && binary === undefined) {
    const frame = add('receive.frame', {
      name: 'frame',
      summary: 'A frame of any kind: nothing is declared.',
      payload: {},
    })
    operate('receive', [frame], frame.key)
  }
  if (receives !== undefined) {
    if (route.refreshable) {
      const refresh = add('receive.refresh', refreshMessage())
      operate('receive', [refresh], refresh.key, { reply: { channel: channelRef, messages: refs(errors) } })
    }
    const expiring = route.anonymous ? [] : [add('send.expiring', expiringMessage())]
    operate('send', [...errors, add('send.left', leftMessage()), ...expiring], 'send.protocol')
  }
  if (sends === undefined) {
    const anything = add('send.anything', { name: 'anything', summary: 'Anything: nothing is declared.', payload: {} })
    operate('send', [anything], anything.key)
  }
  draft.channels.set(channel, channelOf(route, listed))
}

function channelOf({ url, protocols, encode, limits }: ContractRoute, messages: Entries): object {
  const { address, parameters } = addressOf(url)
  return {
    address,
    messages: Object.fromEntries(messages),
    ...(parameters.length > 0 && { parameters: Object.fromEntries(parameters.map((name) => [name, {}])) }),
    bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
    'x-secure-ws': { route: url, protocols, encode, limits },
  }
}

/** Two routes may have the same method with another cookie. */
function schemeKey({ method, scheme }: ContractRoute['schemes'][number], { schemes, keys }: Draft): string {
  const text = JSON.stringify(scheme)
  const known = schemes.get(text)
  if (known !== undefined) return known.key
  const key = keys.schemes.of(method)
  schemes.set(text, { key, scheme })
  return key
}

/** Rewrites the schema of a body, and puts it among the schemas when something refers into it. */
type BodyAt = (schema: PlainSchema) => { readonly body: PlainSchema; readonly base: string }

function bodyAt(channel: string, name: string, { schemas, keys }: Draft): BodyAt {
  return (schema) => {
    const key = keys.schemas.of(`${channel}.${name}`)
    const base = `#/components/schemas/${key}`
    const body = portableSchema(schema, base)
    if (hasReference(schema)) schemas.set(key, body)
    return { body, base }
  }
}

function receivedMessage(type: string, rule: ContractRule, at: BodyAt): object {
  const { body, base } = at(rule.schema)
  const { rate, replay, freshAuth } = rule
  const marks = { nonce: { type: 'string', minLength: 4, maxLength: 128 }, at: { type: 'number' } }
  const envelope: Envelope = {
    properties: { type: { const: type }, id: idSchema, ...(replay && marks) },
    required: ['type', ...(replay === undefined ? [] : ['nonce', 'at'])],
  }
  return {
    ...named(type, rule.schema),
    correlationId: { location: '$message.payload#/id' },
    payload: enveloped(body, base, envelope),
    'x-secure-ws': { refusals: refusalsOf(rule), rate, replay, freshAuth },
  }
}

function sentMessage(type: string, schema: PlainSchema, at: BodyAt): object & { readonly payload: object } {
  const { body, base } = at(schema)
  return {
    ...named(type, schema),
    payload: enveloped(body, base, { properties: { type: { const: type } }, required: ['type'] }),
  }
}

function requestMessage(type: string, message: object): object {
  return {
    ...ours('request', `Asks the client: ${type}.`, { id: countedId, message }),
    correlationId: { location: '$message.payload#/id' },
    'x-secure-ws': { asks: type },
  }
}

function answerMessage(type: string, schema: PlainSchema, at: BodyAt): object {
  const { body, base } = at(schema)
  return {
    ...ours('reply', `The client's answer to ${type}.`, {
      id: countedId,
      value: hasReference(schema) ? { $ref: base } : body,
    }),
    correlationId: { location: '$message.payload#/id' },
    'x-secure-ws': { replyTo: type },
  }
}

function declinedMessage(type: string): object {
  return ours('error', `The client does not answer ${type}: nobody does there, or whoever does has failed.`, {
    id: countedId,
    code: { enum: [...declinedCodes] },
  })
}

const countedId = { type: 'integer', minimum: 1 }

function replyMessage(type: string, { reply }: ContractRule, declared: boolean, at: BodyAt): object {
  const body = reply === undefined ? undefined : at(reply)
  // A named part of a schema would be looked for where the schema no longer is.
  const value = body === undefined ? {} : hasReference(reply) ? { $ref: body.base } : body.body
  const has = body !== undefined || !declared
  return {
    name: 'reply',
    summary: `The answer to ${type}.`,
    correlationId: { location: '$message.payload#/id' },
    payload: {
      type: 'object',
      properties: { type: { const: 'reply' }, id: idSchema, ...(has && { value }) },
      required: ['type', 'id', ...(body === undefined ? [] : ['value'])],
      additionalProperties: false,
    },
    'x-secure-ws': { replyTo: type },
  }
}

function named(type: string, { title, description }: PlainSchema): object {
  return {
    name: type,
    ...(typeof title === 'string' && { title }),
    ...(typeof description === 'string' && { description }),
  }
}

function ours(name: string, summary: string, properties: PlainSchema, optional: readonly string[] = []): object {
  const required = ['type', ...Object.keys(properties)].filter((each) => !optional.includes(each))
  return {
    name,
    summary,
    payload: {
      type: 'object',
      properties: { type: { const: name }, ...properties },
      required,
      additionalProperties: false,
    },
  }
}

const errorMessage = () =>
  ours(
    'error',
    'A message was refused; the socket stays open.',
    {
      code: { enum: [...messageRefusals] },
      id: idSchema,
      retryAfter: { type: 'number', description: 'Milliseconds.' },
    },
    ['id', 'retryAfter'],
  )
const leftMessage = () => ours('left', 'Nothing more comes from this room.', { room: { type: 'string' } })
const expiringMessage = () => ours('expiring', 'The session ends in so many milliseconds.', { in: { type: 'number' } })
const refreshMessage = () =>
  ours('refresh', 'A new token for the session that is open.', { token: { type: 'string' }, id: idSchema }, ['id'])

function frameMessage(mediaType: string): object {
  return {
    name: mediaType,
    summary: 'A binary frame, told by its first bytes.',
    contentType: mediaType,
    payload: { type: 'string', format: 'binary' },
  }
}
