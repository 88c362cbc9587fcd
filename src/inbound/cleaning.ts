import { SecureWsError } from '../errors.ts'
import type { Plan, PlanPart } from '../schema/cleaning-plan.ts'
import type { MessageSchema } from './schema.ts'
import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

export type SanitizeHtml = (dirty: string) => string | Promise<string>
/** The clients for whom HTML is sanitized. */
export interface Senders {
  /** Whether anybody asks who the sender is: carrying it along costs a little with every message. */
  readonly matter: boolean
  /** Runs what a client has set off, so that the HTML that is sanitized in there counts as that sender's. */
  as<T>(sender: Sender, work: () => T): T
}

/** The client whose message is dealt with. */
export interface Sender {
  /** A session or an address. */
  readonly name: string
  /** Told of HTML that the application sent because of it, and that was refused for its cost or because its share is used up. */
  outputRefused?(): void
}

/**
 * Sanitizes a valid message in place: the text steps, then once more the schema (a `trim` may have undercut `minLength`, so what is
 * delivered would not be what was checked), then HTML. HTML is not measured again: writing `&` as `&amp;` makes it longer, and a
 * text that was allowed must not be refused for that. A sanitizer that throws means refused, never delivered as it came.
 */
export function sanitizeMessage(
  message: object,
  schema: MessageSchema,
  sanitizeHtml: SanitizeHtml,
): Refusal | undefined | Promise<Refusal | undefined> {
  if (schema.cleaning === undefined) return undefined
  const { changed, html } = cleanMessage(message, schema.cleaning)
  const refused = changed ? schema.refuse(message) : undefined
  if (refused !== undefined) return { ...refused, reason: `sanitize: no longer valid, ${refused.reason}` }
  return html.length === 0 ? undefined : cleanHtml(html, sanitizeHtml)
}

async function cleanHtml(places: readonly HtmlPlace[], sanitizeHtml: SanitizeHtml): Promise<Refusal | undefined> {
  try {
    // All at once: the sanitizer batches what arrives together.
    const cleaned = await Promise.all(places.map(async ({ dirty }) => await sanitizeHtml(dirty)))
    for (const [index, { replace }] of places.entries()) {
      const clean: unknown = cleaned[index]
      if (typeof clean !== 'string') return refuse('SWS_INTERNAL', 'sanitize: the HTML sanitizer returned no string')
      replace(clean)
    }
    return undefined
  } catch (cause) {
    if (cause instanceof SecureWsError && cause.code === 'SWS_SANITIZE_REFUSED') {
      return refuse('SWS_INVALID_MESSAGE', 'sanitize: the HTML sanitizer refused it')
    }
    return { ...refuse('SWS_INTERNAL', 'sanitize: the HTML sanitizer threw'), cause }
  }
}

/** A string that is to be sanitized as HTML, and the place of the outcome. */
interface HtmlPlace {
  readonly dirty: string
  readonly replace: (clean: string) => void
}

/** The outcome of the synchronous steps. */
interface Cleaned {
  changed: boolean
  /** Strings that still have to go through the HTML sanitizer. */
  readonly html: HtmlPlace[]
}

/** Does the synchronous steps in place. */
function cleanMessage(message: object, plan: Plan): Cleaned {
  const outcome: Cleaned = { changed: false, html: [] }
  cleanObject(message as Record<string, unknown>, [plan], outcome)
  return outcome
}

// Recursion is bounded by the depth of the message, which the parser has checked.
function cleanValue(value: unknown, plans: readonly Plan[], outcome: Cleaned, replace: (clean: string) => void): void {
  if (typeof value === 'string') {
    let text = value
    for (const plan of plans) for (const textStep of plan.steps) text = textStep(text)
    if (text !== value) {
      outcome.changed = true
      replace(text)
    }
    if (plans.some((plan) => plan.html)) outcome.html.push({ dirty: text, replace })
  } else if (Array.isArray(value)) cleanArray(value, plans, outcome)
  else if (typeof value === 'object' && value !== null) cleanObject(value as Record<string, unknown>, plans, outcome)
}

function cleanArray(items: unknown[], plans: readonly Plan[], outcome: Cleaned): void {
  for (const [index, item] of items.entries()) {
    const below = once(partsOf(plans).flatMap(({ tuple, items: rest }) => tuple[index] ?? rest ?? []))
    if (below.length === 0) continue
    cleanValue(item, below, outcome, (clean) => {
      items[index] = clean
    })
  }
}

/** Each plan once: two parts of a recursive schema that lead to the same member would double them with every level. */
function once(plans: readonly Plan[]): readonly Plan[] {
  return plans.length < 2 ? plans : [...new Set(plans)]
}

function partsOf(plans: readonly Plan[]): readonly PlanPart[] {
  return plans.flatMap(({ parts }) => parts)
}

function cleanObject(value: Record<string, unknown>, plans: readonly Plan[], outcome: Cleaned): void {
  for (const key of Object.keys(value)) {
    const below = once(partsOf(plans).flatMap((part) => memberPlans(part, key)))
    if (below.length === 0) continue
    cleanValue(value[key], below, outcome, (clean) => {
      value[key] = clean
    })
  }
}

function memberPlans({ members, patterns, others }: PlanPart, key: string): readonly Plan[] {
  const named = members.get(key)
  const matched = patterns.filter(([pattern]) => pattern.test(key)).map(([, member]) => member)
  if (named === undefined && matched.length === 0) return others === undefined ? [] : [others]
  return named === undefined ? matched : [named, ...matched]
}
