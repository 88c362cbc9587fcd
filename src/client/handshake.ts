import type { WhyAnswer } from '../http/refusal.ts'
import { within } from './deadline.ts'
import { readHint } from './pause.ts'
import { type PlainSocket, page } from './surroundings.ts'

/** A credential that a program hands over; a cookie the browser sends by itself. */
export interface Credential {
  /** A JWT, for `bearer`. It also renews the session that is open, when that is about to end. */
  readonly token?: string
  /** An entry of the sub-protocols, as `app.secureWs.issueTicket` returns it: the answer of your route for tickets fits as it is. */
  readonly protocol?: string
  /** Header lines, in Node alone: no browser lets a page write any. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Where to, and as whom. */
export interface Target {
  readonly url: URL
  readonly credential: Credential | undefined
  readonly protocols: readonly string[] | undefined
}

/** Offered beside a credential, so that the server has one to pick: a browser fails a connection for which none was picked. */
const beside = ['secure-ws']

function offered({ credential, protocols }: Target): string[] {
  const shown = credential?.token === undefined ? credential?.protocol : `bearer.${credential.token}`
  return shown === undefined ? [...(protocols ?? [])] : [...(protocols ?? beside), shown]
}

/** An address of a socket, whichever way it is written: `/chat` of this page, `https:` for `wss:`. */
export function addressOf(url: string | URL): URL {
  const address = new URL(url, page().location?.href)
  address.protocol = address.protocol.replace(/^http/, 'ws')
  // A WebSocket has none, and throws on one.
  address.hash = ''
  return address
}

/** @throws what the platform has against the address or the sub-protocols */
export function shakeHands(target: Target): PlainSocket {
  const { WebSocket } = page()
  const protocols = offered(target)
  const headers = target.credential?.headers
  return new WebSocket(target.url.href, headers ? { protocols, headers } : protocols)
}

/**
 * Resolves when the other side has answered, or has not for two seconds.
 * @throws what the platform has against the code or the reason
 */
export async function hangUp(socket: PlainSocket, code: number, reason: string): Promise<void> {
  try {
    socket.close(code, reason)
  } finally {
    // After a code that no page may send, too: nobody else is going to close it.
    socket.close()
  }
  await within(() => new Promise((resolve) => (socket.onclose = resolve)), 2_000).catch(() => {})
}

/** Asks the server what it would answer to this handshake; `undefined` where nobody, or somebody else, answers. */
export async function askWhy(target: Target, limit: number): Promise<WhyAnswer | undefined> {
  const protocols = offered(target)
  const origin = page().location?.origin
  try {
    const answer = await fetch(target.url.href.replace('ws', 'http'), {
      headers: {
        ...target.credential?.headers,
        'secure-ws': 'why',
        ...(protocols.length > 0 && { 'secure-ws-protocol': protocols.join(', ') }),
        ...(origin && { 'secure-ws-origin': origin }),
      },
      credentials: 'include',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(limit),
    })
    return readWhy(await answer.json())
  } catch {
    return undefined
  }
}

/** A proxy's page, or another server's, is no verdict. */
export function readWhy(body: unknown): WhyAnswer | undefined {
  const { code, reconnect, retryAfter }: Partial<Record<keyof WhyAnswer, unknown>> = Object(body)
  if ((code !== null && typeof code !== 'string') || typeof reconnect !== 'boolean') return undefined
  const hint = readHint(retryAfter)
  return { code: code as WhyAnswer['code'], reconnect, ...(hint !== undefined && { retryAfter: hint }) }
}
