/** A WebSocket as far as this client uses one: that of browsers, and that of Node. */
export interface PlainSocket {
  binaryType: string
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null
  onerror: (() => void) | null
  send(data: string | ArrayBuffer | Blob): void
  close(code?: number, reason?: string): void
}

/** The class of it. Node's takes header lines in the place of a list of sub-protocols. */
export type PlainSocketClass = new (
  url: string,
  protocols?: string[] | { protocols: string[]; headers: Readonly<Record<string, string>> },
) => PlainSocket

interface Listening {
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

interface Page {
  /** Where there is none, using it throws. */
  readonly WebSocket: PlainSocketClass
  readonly document?: (Listening & { readonly visibilityState: string }) | undefined
  readonly location?: { readonly href: string; readonly origin: string } | undefined
  readonly navigator?: { readonly onLine?: boolean } | undefined
}

/** The globals of a page; in Node and in a worker fewer of them are there. Read anew each time: they may be replaced. */
export function page(): Page & Listening {
  return globalThis as Page & Listening
}

/** `false` is sure: there is no network. `true` is not. */
export function isOffline(): boolean {
  return page().navigator?.onLine === false
}
