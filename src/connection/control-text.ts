import { isAnyArrayBuffer } from 'node:util/types'
import { type Bytes, viewOf } from '../outbound/bytes.ts'
import { encodeText } from '../outbound/outbound.ts'
import { cutToBytes } from './close.ts'

/**
 * What a control frame may carry: text of ours or the application's, encoded like any other and cut to `limit` bytes. A page
 * that shows a close reason is a sink like the others (OU-06).
 */
export function controlText(payload: unknown, limit: number): string {
  if (payload === undefined || payload === null) return ''
  return cutToBytes(encodeText(isBytes(payload) ? viewOf(payload).toString() : String(payload), 'html'), limit)
}

function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || isAnyArrayBuffer(value)
}
