import { Writable } from 'node:stream'
import type { WsReceiver } from './internals.ts'
import { type Taker, takeWholeFrames } from './whole-frames.ts'

/** Whom a receiver tells of what it has read. */
export interface Entrance extends Taker {
  /** After ws has taken a piece in: a message may have begun with it. */
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

function guardsOf(ofWs: WsReceiver): Pick<WsReceiver, 'write' | '_write' | 'end'> {
  return {
    /** Whole messages pass by ws, and by the queue that its receiver has as a stream of Node's. */
    write(this: Guarded, piece) {
      const told = this[entrance]
      if (told === undefined) return ofWs.write.call(this, piece)
      const taken = isAtRest(this) && this._allowSynchronousEvents ? takeWholeFrames(piece, told) : 0
      if (taken === piece.length) return true
      return ofWs.write.call(this, taken === 0 ? piece : piece.subarray(taken))
    },
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

/** Between messages, with nothing in front: the next byte begins a frame. */
function isAtRest(receiver: WsReceiver): boolean {
  return receiver.writable && receiver._state === 0 && receiver._bufferedBytes === 0 && receiver._fragmented === 0
}
