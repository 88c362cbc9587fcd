import { closeReasonBytes, controlBytes } from '../connection/close.ts'
import { controlText } from '../connection/control-text.ts'
import type { FrameOptions, SendCallback } from '../connection/port.ts'
import type { Piece, WriteCallback } from './coalescer.ts'

/** The part of ws's sender that is used; `test/ws/ws-internals.test.ts` fails when ws changes it. */
export interface WsSender {
  readonly _state: number
  readonly _firstFragment: boolean
  readonly _queue: readonly unknown[]
  send(payload: unknown, options: WsFrameOptions | undefined, callback: SendCallback | undefined): void
  ping(payload: unknown, mask: boolean, callback: WriteCallback | undefined): void
  pong(payload: unknown, mask: boolean, callback: WriteCallback | undefined): void
  close(code: number | undefined, reason: unknown, mask: boolean, callback: WriteCallback | undefined): void
  sendFrame(pieces: readonly Piece[], callback: WriteCallback | undefined): void
}

export interface WsFrameOptions extends FrameOptions {
  readonly binary?: boolean | undefined
}

/** Where what a sender is told goes. */
export interface Exit {
  /** True while a call comes from behind the encoder. */
  readonly passing: boolean
  /** Through the encoder. */
  encode(payload: unknown, options: WsFrameOptions | undefined, callback: SendCallback | undefined): void
  push(pieces: readonly Piece[], callback: WriteCallback | undefined): void
}

const exits = new WeakMap<WsSender, Exit>()
let guards: Guards | undefined

/**
 * OU-05: `WebSocket.prototype.send.call(socket, text)` and `socket._sender.send(text, {})` do not pass our `send`, nor do
 * `ping`, `pong` and `close` of the prototype pass ours. All of ws's own ways to a frame end in these methods of its sender;
 * here, what did not come from the encoder is encoded. The same functions for all senders: a socket costs no closures.
 */
export function guardSender(sender: WsSender, exit: Exit): void {
  guards ??= guardsOf(Object.getPrototypeOf(sender))
  exits.set(sender, exit)
  Object.assign(sender, guards)
}

type Guards = Pick<WsSender, 'send' | 'ping' | 'pong' | 'close' | 'sendFrame'>

function guardsOf(ofWs: WsSender): Guards {
  return {
    send(this: WsSender, ...said: Parameters<WsSender['send']>) {
      const exit = exits.get(this)
      if (exit?.passing === true) ofWs.send.apply(this, said)
      else exit?.encode(...said)
    },
    ping(this: WsSender, payload, mask, callback) {
      ofWs.ping.call(this, exits.get(this)?.passing ? payload : controlText(payload, controlBytes), mask, callback)
    },
    pong(this: WsSender, payload, mask, callback) {
      ofWs.pong.call(this, exits.get(this)?.passing ? payload : controlText(payload, controlBytes), mask, callback)
    },
    close(this: WsSender, code, reason, mask, callback) {
      const text = exits.get(this)?.passing ? reason : controlText(reason, closeReasonBytes)
      ofWs.close.call(this, code, text, mask, callback)
    },
    // Every frame ends here, control frames too, so nothing overtakes what waits for the end of the turn.
    sendFrame(this: WsSender, ...said: Parameters<WsSender['sendFrame']>) {
      exits.get(this)?.push(...said)
    },
  }
}
