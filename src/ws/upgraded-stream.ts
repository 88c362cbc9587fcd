import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Places } from '../capacity/places.ts'
import type { Admitted } from '../connection/admitted.ts'
import type { Due } from './deadlines.ts'

/**
 * `open`: nobody has decided. `judged`: the guard has it, with a deadline of its own. `answered`: and has refused it, with an
 * event. `socket`: it is one. `over`: it never becomes one.
 */
export type UpgradeState = 'open' | 'judged' | 'answered' | 'socket' | 'over'

/**
 * All that is known of one stream from `upgrade` to its end: who decides about it and until when, what it has been admitted
 * as, which places it holds. One object, which the stream and its request carry: the same in weak tables, maps and closures
 * was most of what a handshake left behind.
 */
export class UpgradedStream extends Places {
  readonly stream: Duplex
  readonly address: string | undefined
  state: UpgradeState = 'open'
  admitted: Admitted | undefined = undefined
  /** Its time, once it has to wait: most are sockets within the turn in which they came. */
  waiting: WaitingStream | undefined = undefined

  constructor(stream: Duplex, address: string | undefined) {
    super()
    this.stream = stream
    this.address = address
  }
}

/** Until when an upgraded stream may wait. */
export class WaitingStream implements Due {
  readonly upgraded: UpgradedStream
  /** The answer to its client when the guard's time is over, given in the context of its request. */
  expire: (() => void) | undefined = undefined
  standing: Due['standing'] = undefined
  until = 0
  readonly #expired: (waiting: WaitingStream) => void

  constructor(upgraded: UpgradedStream, expired: (waiting: WaitingStream) => void) {
    this.upgraded = upgraded
    this.#expired = expired
  }

  outOfTime(): void {
    this.#expired(this)
  }
}

/** Where a stream, and the request that upgraded it, carry it. */
const mark = Symbol('fastify-secure-ws.upgraded')

interface Marked {
  [mark]?: UpgradedStream
}

export function noteUpgraded(upgraded: UpgradedStream, raw: IncomingMessage): void {
  ;(upgraded.stream as Marked)[mark] = upgraded
  ;(raw as Marked)[mark] = upgraded
}

/** A stream that was made of another one, and has its properties, is not that one. */
export function upgradedOn(stream: Duplex): UpgradedStream | undefined {
  const upgraded = (stream as Marked)[mark]
  return upgraded?.stream === stream ? upgraded : undefined
}

export function upgradedBy(raw: IncomingMessage): UpgradedStream | undefined {
  return (raw as Marked)[mark]
}
