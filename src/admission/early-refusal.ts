import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Capacity } from '../capacity/capacity.ts'
import { lineAt } from '../http/header-lines.ts'
import { answerText, type Refusal } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import { said } from './admission.ts'
import { Facts, readHandshake } from './handshake-request.ts'
import type { Announcer } from './refused.ts'
import type { Said } from './way.ts'

export interface EarlyRefusalOptions {
  readonly capacity: Capacity
  /** A clock that nobody can set. */
  readonly uptime: () => number
  /** The clock that other machines read. */
  readonly now: () => number
  readonly announcer: Announcer
  /** The security headers that a refusal carries; `undefined` as long as nobody knows them. */
  readonly securityHeaders: (route: string) => readonly string[] | undefined
  /** Whether the other end is a process that came by a file. */
  readonly unixSocket: () => boolean
}

/** A path that says itself which route it is: no parameter, no escape, nothing that a router could read in two ways. */
const literalPath = /^\/[\w.~/-]*$/

/**
 * Refuses on `upgrade`, before there is a request of Fastify's, what the hook would refuse in any case: a page whose origin
 * is not on the list of its route, and an address that was refused too often. A page of strangers can have the browsers of
 * its visitors knock all day; the way to the hook costs several times what the refusal does.
 *
 * The steps, the answer and the event are those of the hook. Everything for which a request of Fastify's is needed is left
 * to it: parameters in the path, functions, the own origin, forwarded addresses.
 */
export class EarlyRefusal {
  readonly #options: EarlyRefusalOptions
  /** By literal path; `undefined` where two routes share it, or somebody else has a say in what it answers. */
  readonly #routes = new Map<string, EarlyRoute | undefined>()
  /** Whether Fastify reads addresses and paths as they are; `undefined` until the hook has seen a request of it. */
  #plain: boolean | undefined

  constructor(options: EarlyRefusalOptions) {
    this.#options = options
  }

  /** Notes a route: of sockets with its policy, any other without, so that a path with two of them is nobody's here. */
  declare(url: string, policy: RoutePolicy | undefined): void {
    const isOurs = policy !== undefined && isList(policy) && literalPath.test(url) && !this.#routes.has(url)
    this.#routes.set(url, isOurs ? new EarlyRoute(policy) : undefined)
  }

  /** Learns from a request that came to the hook whether `trustProxy` or `rewriteUrl` stand between the bytes and it. */
  learn({ ips, raw }: FastifyRequest): void {
    // Fastify has `ips` with `trustProxy` and only then, and `originalUrl` is what `rewriteUrl` leaves behind.
    this.#plain ??= ips === undefined && !Object.hasOwn(raw, 'originalUrl')
  }

  /** The bytes of the answer, with the event told and the refusal counted; `undefined` where the hook is to decide. */
  refuse(raw: IncomingMessage): Uint8Array | undefined {
    if (this.#plain !== true) return undefined
    const route = this.#routes.get(pathOf(raw.url))
    if (route === undefined) return undefined
    const { capacity, uptime } = this.#options
    const address = raw.socket.remoteAddress
    const now = uptime()
    const tooOften = capacity.refusedTooOften(address, now)
    if (tooOften !== undefined) return this.#answer(raw, route, address, undefined, tooOften)
    const origin = onlyOrigin(raw.rawHeaders)
    if (origin === undefined || !route.mayRefuse(origin)) return undefined
    const refusal = route.judge(raw, address, origin)
    if (refusal === undefined) return undefined
    const answer = this.#answer(raw, route, address, origin, refusal)
    if (answer !== undefined) capacity.noteRefused(address, now)
    return answer
  }

  #answer(
    raw: IncomingMessage,
    { policy, answers }: EarlyRoute,
    address: string | undefined,
    origin: string | undefined,
    refusal: Refusal,
  ): Uint8Array | undefined {
    const { announcer, securityHeaders, unixSocket, now } = this.#options
    const { route } = policy.socket
    // The answers of a route are few: of codes two, and of seconds to wait sixty.
    const which = refusal.headers?.['retry-after'] ?? refusal.code
    let answer = answers.get(which)
    if (answer === undefined) {
      const headers = securityHeaders(route)
      if (headers === undefined) return undefined
      answer = new Answer(refusal, headers)
      answers.set(which, answer)
    }
    if (announcer.isHeard()) {
      announcer.announce({
        refusal,
        raw,
        address,
        origin,
        // Decided in the turn in which the handshake came: nothing is asked, and nothing waited for.
        durationMs: 0,
        route,
        asked: policy.authentication,
        peerIsTrusted: () => false,
        unixSocket,
      })
    }
    return answer.at(now())
  }
}

/** A route whose foreign pages are refused here, with all that this needs: a refusal makes nothing but what somebody hears. */
class EarlyRoute implements Said {
  readonly policy: RoutePolicy
  /** Those of the handshake that is being judged, and of none afterwards. */
  readonly facts = new Facts()
  readonly answers = new Map<string, Answer>()
  /** The verdict on the page that was refused last: its visitors' browsers send the same one all day. */
  #lately: { readonly origin: string; readonly refusal: Refusal | undefined } | undefined

  constructor(policy: RoutePolicy) {
    this.policy = policy
  }

  /** A rule that only reports refuses nobody: the hook tells of it, and lets the page in. */
  mayRefuse(origin: string): boolean {
    const { enforcement, admission } = this.policy
    return !admission.origins.exact.has(origin) && !enforcement.reports('origin')
  }

  /** The refusal of a foreign page; `undefined` for whatever the hook refuses for another reason, or does not refuse. */
  judge(raw: IncomingMessage, address: string | undefined, origin: string): Refusal | undefined {
    readHandshake(raw, { trusted: false, address }, this.facts)
    for (const { name, check } of said) {
      if (name === 'origin') {
        if (this.#lately?.origin !== origin) this.#lately = { origin, refusal: check(this) }
        return this.#lately.refusal
      }
      if (check(this) !== undefined) return undefined
    }
    return undefined
  }
}

/** The bytes of an answer, made anew when its date is another one: once a second at most, however many go out. */
class Answer {
  readonly #refusal: Refusal
  readonly #headers: readonly string[]
  #second = Number.NaN
  #bytes = Buffer.alloc(0)

  constructor(refusal: Refusal, headers: readonly string[]) {
    this.#refusal = refusal
    this.#headers = headers
  }

  at(now: number): Uint8Array {
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#bytes = Buffer.from(answerText(this.#refusal, this.#headers, new Date(now).toUTCString()), 'latin1')
    }
    return this.#bytes
  }
}

function pathOf(url = ''): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

/** Exact origins and wildcards. What a function or the own address decides is the hook's. */
function isList({ admission: { origins } }: RoutePolicy): boolean {
  return !origins.sameOrigin && !origins.any && origins.ask === undefined
}

/** `undefined` where there is none, or more than one. */
function onlyOrigin(rawHeaders: readonly string[]): string | undefined {
  const at = lineAt(rawHeaders, 'origin')
  if (at === -1 || lineAt(rawHeaders, 'origin', at + 2) !== -1) return undefined
  return rawHeaders[at + 1]
}

/**
 * Whether a route answers a refusal like any other. With hooks on its answers, with headers or with a log of its own it
 * does not. To be asked before any of ours are added.
 */
export function answersPlainly(route: object): boolean {
  const own = [...Object.entries(route), ...Object.entries(Object(Reflect.get(route, 'config')))]
  return own.every(([name, value]) => !ownAnswers.has(name) || isNothing(value))
}

const ownAnswers = new Set(['logLevel', 'logSerializers', 'constraints', 'helmet', 'onSend'])

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (typeof value === 'object' && isEmpty(value))
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0
}
