import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { badOption } from '../errors.ts'
import { listElements } from '../http/header-list.ts'
import { isBelow } from './upgrade.ts'

/** An upgrade on its way through the guard, with what the server behind it needs besides the request. */
interface Underway {
  readonly path: string
  readonly head: Buffer
}

/** The paths of other servers behind the guard, and the upgrades that are on their way to them. */
export class GuardedPaths {
  readonly #paths: string[] = []
  readonly #underway = new WeakMap<IncomingMessage, Underway>()

  get all(): readonly string[] {
    return this.#paths
  }

  /** @throws SecureWsError `SWS_BAD_OPTION` */
  check(path: string, left: readonly string[]): void {
    const advice = "Write the path of the other server, such as '/graphql': what stands below it is guarded as well."
    if (typeof path !== 'string' || !/^\/[^?#*:\s]*$/.test(path) || isAmbiguous(path)) {
      throw badOption('guard.path', path, advice)
    }
    if (this.#paths.includes(path)) throw badOption('guard.path', path, 'It is guarded already.')
    const loose = left.find((prefix) => isBelow(path, [prefix]) || isBelow(prefix, [path]))
    if (loose !== undefined) {
      throw badOption(
        'guard.path',
        path,
        `\`dangerouslyLeaveUpgrades\` leaves ${loose} unguarded: take one of them away.`,
      )
    }
  }

  add(path: string): void {
    this.#paths.push(path)
    // The most particular one speaks for a request.
    this.#paths.sort((a, b) => b.length - a.length)
  }

  /** Remembers an upgrade whose path is guarded. A path that another server may read as a different one is nobody's. */
  note(raw: IncomingMessage, head: Buffer): void {
    const { url } = raw
    if (this.#paths.length === 0 || url === undefined || isAmbiguous(url)) return
    const path = this.#guardOf(url)
    if (path !== undefined) this.#underway.set(raw, { path, head })
  }

  #guardOf(url: string): string | undefined {
    return this.#paths.find((each) => isBelow(url, [each]))
  }

  pathOf(raw: IncomingMessage): string | undefined {
    return this.#underway.get(raw)?.path
  }

  /** Afterwards the request is one like any other: the server behind the guard may send it through the router itself. */
  take(raw: IncomingMessage): Buffer | undefined {
    const head = this.#underway.get(raw)?.head
    this.#underway.delete(raw)
    return head
  }
}

/** Dot segments, empty ones and what stands for a slash: routers differ in what they make of these. */
function isAmbiguous(url: string): boolean {
  const end = url.indexOf('?')
  const path = end === -1 ? url : url.slice(0, end)
  return /\/\/|\\|%2f|%5c|%00|#|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(path)
}

/** The marks of @fastify/websocket: with them, a server that routes the request again would open a socket of ours. */
export function withoutMarks(raw: IncomingMessage, stream: Duplex, head: Buffer): void {
  for (const key of Object.getOwnPropertySymbols(raw)) {
    const value: unknown = Reflect.get(raw, key)
    if (value === stream || value === head) Reflect.deleteProperty(raw, key)
  }
}

/**
 * Takes credentials out of `Sec-WebSocket-Protocol`, everywhere a server may read it: whoever answers with the first offer
 * would echo one (CS-14).
 *
 * @param marker what a page offers beside a credential: it stays where nothing else was offered
 */
export function withoutCredentials(
  raw: IncomingMessage,
  credentialsOf: (offered: readonly string[]) => readonly string[],
  marker: string,
): void {
  const header = raw.headers['sec-websocket-protocol']
  if (header === undefined) return
  const offered = listElements(header)
  const credentials = credentialsOf(offered)
  if (credentials.length === 0) return
  const left = offered.filter((name) => !credentials.includes(name))
  const others = left.filter((name) => name !== marker)
  const value = (others.length > 0 ? others : left).join(', ')
  const { headersDistinct, rawHeaders } = raw
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]?.toLowerCase() === 'sec-websocket-protocol') rawHeaders.splice(index, 2)
  }
  delete raw.headers['sec-websocket-protocol']
  delete headersDistinct['sec-websocket-protocol']
  if (value === '') return
  rawHeaders.push('Sec-WebSocket-Protocol', value)
  raw.headers['sec-websocket-protocol'] = value
  headersDistinct['sec-websocket-protocol'] = [value]
}
