/** What leaves as bytes, in one of the forms that ws takes. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/** The same memory as a Buffer: of a view, its own part only. */
export function viewOf(bytes: Bytes): Buffer {
  return ArrayBuffer.isView(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.from(bytes)
}
