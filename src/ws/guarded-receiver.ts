import { Writable } from 'node:stream'
import type { WsReceiver } from './internals.ts'

/** Whom a receiver tells of what it has read. */
export interface Entrance {
  /** A piece of what was read is taken in. */
  tookIn(): void
}

const entrance = Symbol('fastify-secure-ws.entrance')

interface Guarded extends WsReceiver {
  [entrance]?: Entrance
}

let guarded: { readonly ofWs: WsReceiver; readonly ours: object } | undefined

/**
 * Has a receiver tell what it has taken in, and end once. One prototype between the receiver and ws's: a listener for what is
 * read would be a second one, and each read would go through a list.
 */
export function guardReceiver(receiver: WsReceiver, told: Entrance): void {
  const ofWs: WsReceiver = Object.getPrototypeOf(receiver)
  if (guarded?.ofWs !== ofWs) guarded = { ofWs, ours: Object.setPrototypeOf(guardsOf(ofWs), ofWs) }
  Object.setPrototypeOf(receiver, guarded.ours)
  ;(receiver as Guarded)[entrance] = told
}

function guardsOf(ofWs: WsReceiver): Pick<WsReceiver, '_write' | 'end'> {
  return {
    _write(this: Guarded, piece, encoding, done) {
      ofWs._write.call(this, piece, encoding, done)
      this[entrance]?.tookIn()
    },
    /**
     * ws ends it twice: when its peer has finished, and when the stream has gone. Node makes an error of the second time, stack
     * and all, that nobody hears of; nothing else of a socket cost as much.
     */
    end(this: Guarded) {
      return this.writableEnded ? undefined : Reflect.apply(Writable.prototype.end, this, [])
    },
  }
}
