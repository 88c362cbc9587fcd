import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
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
    const names = listElements(raw.headers.upgrade ?? '')
    const isOurs = names.some((name) => name.toLowerCase() === 'websocket') || isLeft(raw)
    return isOurs && before.call(this, raw)
  }
  Reflect.set(server, 'shouldUpgradeCallback', shouldUpgrade)
}

function isShouldUpgrade(value: unknown): value is ShouldUpgrade {
  return typeof value === 'function'
}
