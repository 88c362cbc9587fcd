import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { FrameOptions, SendCallback } from '../connection/port.ts'
import type { WriteCallback } from './coalescer.ts'

/*
 * What ws calls private, and is read or used here: all of it, and nowhere else. `known-ws.ts` looks at each in the state that it
 * is read for, before a server starts.
 */

export interface WsSocket extends WebSocket {
  readonly _receiver: WsReceiver | null
  readonly _sender: WsSender | null
  readonly _socket: WsStream | null
  /** The client has said goodbye, and whatever closes now is the answer to it. */
  readonly _closeFrameReceived: boolean
}

export type WsStream = Duplex & { readonly bytesWritten?: number }

export interface WsReceiver {
  /** 0 while the header of a frame is read. */
  readonly _state: number
  /** Bytes that were read and are no whole header, or no whole payload, yet. */
  readonly _bufferedBytes: number
  /** The opcode of a message that has begun in fragments, else 0. */
  readonly _fragmented: number
  /** Whether the messages of one read may be told in one turn, which an application can refuse. */
  readonly _allowSynchronousEvents: boolean
  // As of every Writable of Node.
  readonly writable: boolean
  readonly writableEnded: boolean
  write(piece: Buffer): boolean
  _write(piece: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void
  end(): unknown
}

export interface WsSender {
  /** 0 while nothing is compressed or read from a Blob. */
  readonly _state: number
  /** False between the fragments of a message. */
  readonly _firstFragment: boolean
  /** Work that waits while `_state` is not 0. */
  readonly _queue: readonly unknown[]
  /** The stream below, of which it uses `cork`, `write`, `uncork`, `destroyed`, and `end` after a failure. */
  _socket: object
  send(payload: unknown, options: WsFrameOptions | undefined, callback: SendCallback | undefined): void
  ping(payload: unknown, mask: boolean, callback: WriteCallback | undefined): void
  pong(payload: unknown, mask: boolean, callback: WriteCallback | undefined): void
  close(code: number | undefined, reason: unknown, mask: boolean, callback: WriteCallback | undefined): void
}

export interface WsFrameOptions extends FrameOptions {
  readonly binary?: boolean | undefined
  readonly mask?: boolean | undefined
}

/** Where a server-side socket gets its stream. */
interface SetSocket {
  setSocket(this: WebSocket, stream: Duplex, head: Buffer, options: object): void
}

export const ofWs = WebSocket.prototype
export const { setSocket } = ofWs as WebSocket & SetSocket

const waiting = Object.getOwnPropertyDescriptor(ofWs, 'bufferedAmount')
const state = Object.getOwnPropertyDescriptor(ofWs, 'readyState')

/** ws's own `bufferedAmount`: the socket class counts more. */
export function waitingInWs(socket: WebSocket): number {
  return Number(waiting?.get?.call(socket))
}

/** ws's own `readyState`: the socket class shows `CLOSING` earlier. */
export function stateInWs(socket: WebSocket): number {
  return Number(state?.get?.call(socket))
}
