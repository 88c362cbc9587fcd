import type { Duplex } from 'node:stream'
import { closeReasonBytes, controlBytes } from '../connection/close.ts'
import { controlText } from '../connection/control-text.ts'
import type { SendCallback } from '../connection/port.ts'
import { Coalescer, type WriteCallback } from './coalescer.ts'
import type { WsFrameOptions, WsSender } from './internals.ts'

/**
 * The stream of ws's sender. Whatever ws calls its methods, every frame of it is written here, behind what was pushed before:
 * nothing overtakes what waits for the end of the turn. What a sender is told goes here, too.
 */
export abstract class SenderStream extends Coalescer<Duplex> {
  /** True while a call comes from behind the encoder. */
  abstract readonly passing: boolean
  /** Sends it through the encoder. */
  abstract encode(payload: unknown, options: WsFrameOptions | undefined, callback: SendCallback | undefined): void
  /** A close frame is about to leave that did not come from behind the encoder. */
  abstract closing(code: number | undefined): void

  get destroyed(): boolean {
    return this.sink.destroyed
  }

  /** @param piece of a frame; a string of ws is UTF-8 */
  write(piece: Buffer | string, callback?: WriteCallback): void {
    this.push(typeof piece === 'string' ? Buffer.from(piece) : piece, callback)
  }

  /** Nothing: all that is written in a turn is one write as it is. */
  cork(): void {}
  uncork(): void {}

  end(): void {
    this.flush()
    this.sink.end()
  }
}

let guarded: { readonly ofWs: WsSender; readonly ours: object } | undefined

/**
 * OU-05: `WebSocket.prototype.send.call(socket, text)` and `socket._sender.send(text, {})` do not pass our `send`, nor do
 * `ping`, `pong` and `close` of the prototype pass ours. All of ws's own ways to a frame begin in these methods of its sender;
 * here, what did not come from the encoder is encoded. One prototype between the sender and ws's: a socket costs nothing.
 */
export function guardSender(sender: WsSender, stream: SenderStream): void {
  const ofWs: WsSender = Object.getPrototypeOf(sender)
  if (guarded?.ofWs !== ofWs) guarded = { ofWs, ours: Object.setPrototypeOf(guardsOf(ofWs), ofWs) }
  Object.setPrototypeOf(sender, guarded.ours)
  sender._socket = stream
}

function exitOf(sender: WsSender): SenderStream {
  return sender._socket as SenderStream
}

function guardsOf(ofWs: WsSender): Pick<WsSender, 'send' | 'ping' | 'pong' | 'close'> {
  return {
    send(this: WsSender, ...said) {
      const exit = exitOf(this)
      if (exit.passing) ofWs.send.apply(this, said)
      else exit.encode(...said)
    },
    ping(this: WsSender, payload, mask, callback) {
      ofWs.ping.call(this, exitOf(this).passing ? payload : controlText(payload, controlBytes), mask, callback)
    },
    pong(this: WsSender, payload, mask, callback) {
      ofWs.pong.call(this, exitOf(this).passing ? payload : controlText(payload, controlBytes), mask, callback)
    },
    close(this: WsSender, code, reason, mask, callback) {
      const exit = exitOf(this)
      if (!exit.passing) exit.closing(code)
      ofWs.close.call(this, code, exit.passing ? reason : controlText(reason, closeReasonBytes), mask, callback)
    },
  }
}
