import { isAnyArrayBuffer } from 'node:util/types'

/** Bytes that leave, in one of the forms that ws takes. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/** The same memory as a Buffer: of a view, its own part only. */
export function viewOf(bytes: Bytes): Buffer {
  return ArrayBuffer.isView(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.from(bytes)
}

/**
 * A copy, made when the payload is handed over: the caller may refill its buffer or transfer it to a worker afterwards, while
 * the frame still waits for the end of the turn, for a sanitizer or for ws's own queue.
 */
export function copyOf(bytes: Bytes): Buffer {
  return Buffer.copyBytesFrom(viewOf(bytes))
}

/** Tells bytes from everything else. A Blob is not bytes before it is read. A revoked proxy throws. */
export function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || isAnyArrayBuffer(value)
}
