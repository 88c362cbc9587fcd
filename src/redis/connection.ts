/** One connection of our own. Neither queues while it is away: what cannot be sent now is rejected now. */
export interface RedisConnection {
  /** Connected, authenticated, and every subscription back in force. */
  readonly up: boolean
  /** Starts connecting, and goes on trying, 50 ms to 5 s apart, until `close()`. */
  connect(): void
  /** Told after every change of `up`, and of nothing else that could be asked. */
  onChange(listener: () => void): void
  /** Told what the client failed with, each time it tries. */
  onFailure(listener: (error: unknown) => void): void
  /** `key` chooses the node of a cluster. */
  send(key: string, args: readonly string[]): Promise<unknown>
  subscribe(channel: string): Promise<void>
  unsubscribe(channel: string): Promise<void>
  onPayload(listener: (channel: string, payload: string) => void): void
  close(): Promise<void>
}

/** Between two attempts to connect: doubling from 50 ms to 5 s, and up to half of it off, so that nodes do not return as one. */
export function reconnectDelay(attempt: number, random = Math.random()): number {
  return Math.round(Math.min(5_000, 50 * 2 ** Math.min(attempt, 10)) * (1 - random / 2))
}

/** A connection that has been silent for this long, with a PING every 5 s, is dead: closed, and opened again. */
export const silenceLimit = 15_000
export const connectLimit = 5_000
