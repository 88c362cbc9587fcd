import { badOption } from '../errors.ts'
import { planCleaning } from '../schema/cleaning-plan.ts'
import { copySchema, isSchema } from '../schema/plain-schema.ts'
import { checkValue, compilePlain } from '../schema/schema.ts'
import { type SanitizeHtml, sanitizeMessage } from './cleaning.ts'
import { type ParsedMessage, parseMessage, readText } from './parse.ts'
import { checksWhereCleaned, type MessageSchema } from './schema.ts'
import { broken, type Refusal, refuse } from './verdict.ts'

/** The schema of the answers to one type of request: of a message with the one member `value`. */
export type AnswerSchema = MessageSchema

/** The answer of a client, as far as its form goes: the value is whatever the client wrote. */
export interface Answer {
  readonly id: number
  /** What the client wrote, as the member `value`. */
  readonly holder: { readonly value: unknown } | undefined
  /** Neither of both: it is not as the protocol has it, and no answer comes any more. */
  readonly declined: DeclinedCode | undefined
}

/** A client's reasons not to answer: nobody does it there, or whoever does has failed. */
export const declinedCodes = ['SWS_NO_LISTENER', 'SWS_INTERNAL'] as const
type DeclinedCode = (typeof declinedCodes)[number]

/**
 * Compiles `sends.<type>.reply`, of any kind of value, as strictly as what is received: closed, without coercion and defaults.
 *
 * @throws SecureWsError SWS_BAD_OPTION
 */
export function compileAnswers(
  sends: Readonly<Record<string, { readonly reply?: unknown }>> | undefined,
  receivesMessages: boolean,
  path: string,
): ReadonlyMap<string, AnswerSchema> {
  const answers = new Map<string, AnswerSchema>()
  for (const [type, { reply }] of Object.entries(sends ?? {})) {
    if (reply === undefined) continue
    const at = `${path}.${type}.reply`
    if (!isSchema(reply)) throw badOption(at, reply, 'Write a schema, of any kind of value.')
    if (!receivesMessages) {
      throw badOption(at, reply, 'An answer is a message: declare `receives` on this route, and be it `receives: {}`.')
    }
    answers.set(type, compileAnswer(reply, at))
  }
  return answers
}

function compileAnswer(reply: object, path: string): AnswerSchema {
  const plain = copySchema(reply, path, false)
  const tree = compilePlain(plain, path, false)
  const plan = planCleaning(plain, path)
  const part = {
    members: new Map(plan && [['value', plan]]),
    patterns: [],
    others: undefined,
    tuple: [],
    items: undefined,
  }
  return {
    plain,
    cleaning: plan && { steps: [], html: false, parts: [part] },
    refuse(message) {
      const { fault } = checkValue(tree, Reflect.get(message, 'value'), plan === undefined ? 1 : checksWhereCleaned)
      return fault && refuse('SWS_INVALID_MESSAGE', `the answer: schema: ${fault.keyword} at ${fault.schemaPath}`)
    },
  }
}

/** Written in one way only by whoever writes JSON: a message that hides its type behind escapes takes its turn, and is refused there. */
const marks = ['"reply"', '"error"']

/**
 * The answer that a frame holds; `undefined` for a frame that takes its turn, because it is something else or cannot be read.
 * Asked only while a request is under way: an answer cannot wait for a listener that waits for it.
 */
export function readAnswer(frame: Buffer, depth: number): Answer | Refusal | undefined {
  if (!marks.some((mark) => frame.includes(mark))) return undefined
  const text = readText(frame)
  const parsed = typeof text === 'string' ? parseMessage(text, depth) : text
  if ('code' in parsed || (parsed.type !== 'reply' && parsed.type !== 'error')) return undefined
  return answerOf(parsed)
}

function answerOf({ type, id, body }: ParsedMessage): Answer | Refusal {
  if (typeof id !== 'number') return refuse('SWS_INVALID_MESSAGE', 'the answer: its `id` is no number')
  const { type: _, id: __, ...rest } = body
  const [name, ...others] = Object.keys(rest)
  const isReply = type === 'reply'
  const isWhole = others.length === 0 && name === (isReply ? 'value' : 'code')
  if (isWhole && isReply) return { id, holder: { value: rest.value }, declined: undefined }
  const { code } = rest
  const declined = isWhole ? declinedCodes.find((known) => known === code) : undefined
  return { id, holder: undefined, declined }
}

/** Checks the value of an answer, and cleans it in place. Never throws nor rejects. */
export function judgeAnswer(
  holder: { readonly value: unknown },
  schema: AnswerSchema,
  sanitizeHtml: SanitizeHtml,
): Refusal | undefined | Promise<Refusal | undefined> {
  try {
    return schema.refuse(holder) ?? sanitizeMessage(holder, schema, sanitizeHtml)
  } catch (cause) {
    return broken(cause)
  }
}
