/** What a raw route's `message` listener gets for a binary frame: ws's `binaryType`. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'fragments' | 'blob'

export const binaryTypes: ReadonlySet<string> = new Set<BinaryType>(['nodebuffer', 'arraybuffer', 'fragments', 'blob'])

export function shapeBytes(bytes: Buffer, type: BinaryType): Buffer | ArrayBuffer | Buffer[] | Blob {
  if (type === 'nodebuffer') return bytes
  if (type === 'fragments') return [bytes]
  // A Buffer is a view, often into memory that other frames share: only a copy may show its whole ArrayBuffer.
  return type === 'arraybuffer' ? new Uint8Array(bytes).buffer : new Blob([new Uint8Array(bytes)])
}
