import { nameOf } from '../schema/json-pointer.ts'
import { answerTypes } from '../schema/message-type.ts'
import { ContractDocument, listOf, type Part, partOf } from './contract-document.ts'
import { typeOf } from './schema-type.ts'
import { comment, literal, memberName, TypeNames } from './source-text.ts'
import { alone, intersectionOf } from './written-type.ts'

const heading = `// Written by \`npx fastify-secure-ws types\`: change the routes of the server, and write it again.
`

/** A channel, and the messages of its operations. */
interface Channel {
  readonly name: string
  readonly address: string
  readonly receives: Map<string, string> | undefined
  readonly sends: Map<string, string> | undefined
  readonly replies: Map<string, string>
  readonly answers: Map<string, string>
}

/** Members of a message that are the protocol's, and no part of its type. */
const envelope = new Set(['type', 'id'])

/**
 * Writes the types of a contract, one for each channel, as `connect` of `fastify-secure-ws/client` takes them.
 *
 * @param text an AsyncAPI 3 document, of whoever wrote it: no name and no text of it becomes code
 * @throws Error for what is no such document, or does not hang together
 */
export function contractTypes(text: string): string {
  return new TypesOf(new ContractDocument(text)).written()
}

class TypesOf {
  readonly #document: ContractDocument
  readonly #names = new TypeNames()
  /** Types of their own, for what references point at. */
  readonly #references = new Map<string, string>()
  readonly #declared: string[] = []

  constructor(document: ContractDocument) {
    this.#document = document
  }

  written(): string {
    const channels = [...partOf(this.#document.root.get('channels'))].map(([key, channel]) => {
      return this.#channel(key, this.#document.target(channel))
    })
    return [heading, ...channels.map(channelText), ...this.#declared].join('\n')
  }

  #channel(key: string, channel: unknown): Channel {
    const found: Channel = {
      name: this.#names.of(key),
      address: String(partOf(channel).get('address') ?? key),
      ...{ receives: new Map(), sends: new Map(), replies: new Map(), answers: new Map() },
    }
    const undeclared = { receives: false, sends: false }
    for (const operation of partOf(this.#document.root.get('operations')).values()) {
      const part = this.#document.resolved(operation)
      // By what it points at: one channel can be written in several ways, and stand behind several names.
      if (this.#document.target(part.get('channel')) !== channel) continue
      const list = part.get('action') === 'receive' ? 'receives' : 'sends'
      for (const each of listOf(part.get('messages'))) {
        const message = this.#document.resolved(each)
        const type = this.#typeNameOf(message)
        if (type === undefined) undeclared[list] ||= isJson(message)
        else if (type === 'request') this.#addAnswer(message, part, found.answers)
        else if (!answerTypes.has(type) && type !== 'refresh') {
          found[list]?.set(type, this.#messageType(type, message, list === 'receives'))
          if (list === 'receives') found.replies.set(type, this.#replyType(part))
        }
      }
    }
    return {
      ...found,
      ...(undeclared.receives && { receives: undefined }),
      ...(undeclared.sends && { sends: undefined }),
    }
  }

  /** The `type` of a message; none where nothing is declared, and none of a binary frame. */
  #typeNameOf(message: Part): string | undefined {
    const properties = partOf(this.#document.resolved(message.get('payload')).get('properties'))
    const type = partOf(properties.get('type')).get('const')
    return typeof type === 'string' && isJson(message) ? type : undefined
  }

  #messageType(type: string, message: Part, received: boolean): string {
    const names = received ? envelope : new Set(['type'])
    const body = withoutEnvelope(Object.fromEntries(this.#document.resolved(message.get('payload'))), names)
    const tagged = alone(`{ readonly type: ${literal(type)} }`)
    const written = typeOf(body, (pointer) => this.#reference(pointer), '    ')
    return intersectionOf([tagged, written]).text
  }

  #addAnswer(request: Part, operation: Part, answers: Map<string, string>): void {
    const properties = partOf(this.#document.resolved(request.get('payload')).get('properties'))
    const asked = partOf(this.#document.resolved(properties.get('message')).get('properties'))
    const type = partOf(asked.get('type')).get('const')
    if (typeof type === 'string') answers.set(type, this.#replyType(operation))
  }

  #replyType(operation: Part): string {
    const messages = listOf(partOf(operation.get('reply')).get('messages'))
    const reply = messages.map((each) => this.#document.resolved(each)).find((each) => each.get('name') === 'reply')
    const properties = partOf(this.#document.resolved(reply?.get('payload')).get('properties'))
    const value = properties.get('value')
    return value === undefined ? 'unknown' : typeOf(value, (pointer) => this.#reference(pointer), '    ').text
  }

  #reference(pointer: string): string {
    const known = this.#references.get(pointer)
    if (known !== undefined) return known
    const steps = pointer.split('/').filter((step) => !/^(?:#|components|schemas|\$defs|definitions)$/.test(step))
    const name = this.#names.of(steps.map((step) => nameOf(step) ?? step).join(' '))
    // Before it is written: it may refer to itself.
    this.#references.set(pointer, name)
    const type = typeOf(this.#document.at(pointer), (other) => this.#reference(other))
    this.#declared.push(`export type ${name} = ${type.text}\n`)
    return name
  }
}

function isJson(message: Part): boolean {
  const mediaType = message.get('contentType')
  return mediaType === undefined || mediaType === 'application/json'
}

/** The schema of the body: wherever it speaks of the message itself, the members of the protocol are left out. */
function withoutEnvelope(schema: unknown, names: ReadonlySet<string>, depth = 0): unknown {
  const part = partOf(schema)
  if (part.size === 0 || depth > 64) return schema
  const out = new Map(part)
  if (part.has('properties')) {
    out.set('properties', Object.fromEntries([...partOf(part.get('properties'))].filter(([name]) => !names.has(name))))
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const list = part.get(keyword)
    if (Array.isArray(list))
      out.set(
        keyword,
        list.map((each) => withoutEnvelope(each, names, depth + 1)),
      )
  }
  // The names of a message are those of the protocol, or as declared.
  const [, declared] = listOf(partOf(part.get('propertyNames')).get('anyOf'))
  if (declared !== undefined) out.set('propertyNames', declared)
  return Object.fromEntries(out)
}

const undeclared = 'Readonly<Record<string, { readonly type: string } & Readonly<Record<string, unknown>>>>'

function channelText({ name, address, receives, sends, replies, answers }: Channel): string {
  const members = (types: ReadonlyMap<string, string>) =>
    types.size === 0
      ? '{}'
      : `{\n${[...types].map(([type, text]) => `    readonly ${memberName(type)}: ${text}\n`).join('')}  }`
  return [
    comment(`Messages of ${address}, for \`connect<${name}>(url)\` of fastify-secure-ws/client.`, ''),
    `export type ${name} = {\n`,
    `  readonly receives: ${receives === undefined ? undeclared : members(receives)}\n`,
    `  readonly sends: ${sends === undefined ? undeclared : members(sends)}\n`,
    `  readonly replies: ${receives === undefined ? 'Readonly<Record<string, unknown>>' : members(replies)}\n`,
    `  readonly answers: ${members(answers)}\n`,
    '}\n',
  ].join('')
}
