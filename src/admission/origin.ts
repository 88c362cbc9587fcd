import type { FastifyRequest } from 'fastify'
import { serializeHost } from '../http/authority.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import { after } from '../thenable.ts'
import type { HandshakeFacts } from './handshake-request.ts'
import { isFileOrigin, isOtherOrigin, readOrigin, type WebOrigin } from './web-origin.ts'

/** Admits every page of the web. A symbol, so that no configuration file and no environment variable can say it. */
export const dangerouslyAllowAnyOrigin: unique symbol = Symbol('fastify-secure-ws: dangerouslyAllowAnyOrigin')

/**
 * Asked with the serialized origin: of http and https in lower case and without the default port, of any other scheme as it
 * was sent. Compare the whole of it. Whatever it returns but `true` refuses.
 */
export type OriginFunction = (origin: string, request: FastifyRequest) => boolean | Promise<boolean>

/** `origins` and the options beside it as look-ups. */
export interface OriginPolicy {
  readonly sameOrigin: boolean
  readonly exact: ReadonlySet<string>
  /** From the origin that stands behind the wildcard (`https://example.org`) to how many labels may stand in front. */
  readonly wildcards: ReadonlyMap<string, 'one' | 'any'>
  readonly any: boolean
  readonly ask: OriginFunction | undefined
  readonly missing: boolean
  readonly nullOrigin: boolean
  readonly fileOrigin: boolean
}

/** The part of a handshake that says where its page comes from. */
export type Page = Pick<HandshakeFacts, 'origin' | 'fromBrowser'>

/**
 * The heart of it: may this page talk to us with the user's cookies (cross-site WebSocket hijacking, CS-5)? All that is
 * known without asking: a page that only the `origins` function knows passes here, and is asked about by `askOrigins`.
 *
 * @param own the origin that the client connected to; asked for where the same origin may connect, and nowhere else
 */
export function checkOrigin(page: Page, policy: OriginPolicy, own: string | undefined): Refusal | undefined {
  const { origin: value } = page
  if (value === undefined) return checkMissingOrigin(page, policy)
  if (value === 'null') {
    if (policy.nullOrigin) return undefined
    return refused('Origin null', 'Sandboxed frames, data: and file: pages send it: any page can.')
  }
  // The common case first: a listed origin costs one look-up, however many are listed.
  if (policy.exact.has(value)) return undefined
  const origin = readOrigin(value)
  if (origin === undefined) return checkOtherOrigin(value, policy)
  if (policy.any || policy.exact.has(origin.text) || matchesWildcard(origin, policy.wildcards)) return undefined
  if (policy.sameOrigin && origin.text === own) return undefined
  if (policy.ask !== undefined) return undefined
  return refused(`Origin ${origin.text} is not allowed`, foreignAdvice(origin, own, policy))
}

function checkOtherOrigin(value: string, policy: OriginPolicy): Refusal | undefined {
  if (!isOtherOrigin(value)) return refused(`Origin ${value} is not the serialization of a listed origin`)
  if (policy.ask !== undefined) return undefined
  if (isFileOrigin(value)) {
    if (policy.fileOrigin) return undefined
    return refused(
      `Origin ${value}`,
      'Every page that is opened from a disk has it: serve yours over http://localhost or https.',
    )
  }
  if (policy.any) return undefined
  const advice = `If this page is yours, add "${value}" to \`origins\`, letter by letter.`
  return refused(`Origin ${value} is not allowed`, advice)
}

function checkMissingOrigin({ fromBrowser }: Page, policy: OriginPolicy): Refusal | undefined {
  if (!policy.missing) return refused('no Origin', 'For clients that are not browsers, set `allowMissingOrigin: true`.')
  // A browser that hides its origin is not a client without one.
  if (fromBrowser) return refused('no Origin, but Sec-Fetch-* headers')
  return undefined
}

/** Whole labels only, at least one, never across the scheme or the port: one look-up per label that the origin has. */
function matchesWildcard(origin: WebOrigin, wildcards: OriginPolicy['wildcards']): boolean {
  if (wildcards.size === 0) return false
  let dot = origin.name.indexOf('.')
  for (let labels = 1; dot !== -1; labels++) {
    const parent = serializeHost({ name: origin.name.slice(dot + 1), port: origin.port }, origin.scheme)
    const depth = wildcards.get(`${origin.scheme}://${parent}`)
    if (depth === 'any' || (depth === 'one' && labels === 1)) return true
    dot = origin.name.indexOf('.', dot + 1)
  }
  return false
}

/**
 * Asks the `origins` function about a page that `checkOrigin` let pass. It may wait, so whoever asks has counted the
 * handshake before; it is not bounded here: the handshake's own deadline is.
 */
export function askOrigins(
  value: string | undefined,
  { ask }: OriginPolicy,
  request: FastifyRequest,
): Refusal | undefined | Promise<Refusal | undefined> {
  if (ask === undefined || value === undefined || value === 'null') return undefined
  const origin = readOrigin(value)?.text ?? (isOtherOrigin(value) ? value : undefined)
  if (origin === undefined) return refused(`Origin ${value} is no origin`)
  try {
    const answered = (answer: unknown) => verdict(origin, answer)
    return after<unknown, Refusal | undefined>(ask(origin, request), answered, (error) => threw(origin, error))
  } catch (error) {
    return threw(origin, error)
  }
}

function verdict(origin: string, answer: unknown): Refusal | undefined {
  if (answer === true) return undefined
  if (answer === false) return refused(`Origin ${origin}: the \`origins\` function said no`)
  return refused(`Origin ${origin}: the \`origins\` function returned no boolean`, 'Return true or false.')
}

function threw(origin: string, error: unknown): Refusal {
  return refuse('SWS_ORIGIN_REFUSED', `Origin ${origin}: the \`origins\` function threw`, {
    cause: { by: 'the `origins` function', error },
  })
}

function foreignAdvice(origin: WebOrigin, own: string | undefined, policy: OriginPolicy): string {
  if (!policy.sameOrigin) return `If this page is yours, add "${origin.text}" to \`origins\`.`
  if (own !== undefined && origin.text === `https${own.slice(own.indexOf(':'))}`) {
    return "Only the scheme differs. If a proxy ends TLS, name its address in Fastify's `trustProxy`."
  }
  return `If this page is yours, set \`origins: ["${origin.text}"]\`.`
}

function refused(reason: string, advice?: string): Refusal {
  return refuse('SWS_ORIGIN_REFUSED', reason, advice === undefined ? {} : { advice })
}
