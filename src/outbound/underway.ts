/** An output that is still being made: a field waits for the sanitizer, a Blob for its bytes. */
export interface Underway<T> extends Promise<T> {
  /** Bytes that are held for it meanwhile, as near as can be said: what is finished may be longer or shorter. */
  readonly bytes: number
}

export function underway<T>(making: Promise<T>, bytes: number): Underway<T> {
  return Object.assign(making, { bytes })
}
