import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { lineAt } from '../http/header-lines.ts'
import { listElements } from '../http/header-list.ts'

type ShouldUpgrade = (this: unknown, raw: IncomingMessage) => boolean

/**
 * Answers a request that asks for another protocol than websocket (`Upgrade: h2c`, as Java's HttpClient and `curl --http2`
 * send it) as the plain request that it also is (RFC 9110 section 7.8). Node asks since 24.9; before that, every `Upgrade` is
 * an upgrade, and ours are refused.
 *
 * @param isLeft tells what another listener may understand
 */
export function answerOtherProtocols(server: EventEmitter, isLeft: (raw: IncomingMessage) => boolean): void {
  const before: unknown = Reflect.get(server, 'shouldUpgradeCallback')
  if (!isShouldUpgrade(before)) return
  const shouldUpgrade: ShouldUpgrade = function (raw) {
    return (asksForWebSocket(raw.rawHeaders) || isLeft(raw)) && before.call(this, raw)
  }
  Reflect.set(server, 'shouldUpgradeCallback', shouldUpgrade)
}

/** By the lines as they came: the object of all headers is made when somebody asks for it, and a refusal may need none. */
function asksForWebSocket(rawHeaders: readonly string[]): boolean {
  for (let at = lineAt(rawHeaders, 'upgrade'); at !== -1; at = lineAt(rawHeaders, 'upgrade', at + 2)) {
    const value = rawHeaders[at + 1] ?? ''
    if (value === 'websocket' || listElements(value).some((name) => name.toLowerCase() === 'websocket')) return true
  }
  return false
}

function isShouldUpgrade(value: unknown): value is ShouldUpgrade {
  return typeof value === 'function'
}
