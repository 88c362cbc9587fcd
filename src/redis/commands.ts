import { hash } from 'node:crypto'
import { within } from '../thenable.ts'
import type { RedisConnection } from './connection.ts'

export interface RedisScript {
  readonly text: string
  readonly sha1: string
}

export function redisScript(text: string): RedisScript {
  return { text, sha1: hash('sha1', text) }
}

/** Commands with a bound on how many may be under way and on how long each may take. */
export interface RedisCommands {
  send(key: string, ...args: readonly string[]): Promise<unknown>
  /** All keys in one slot, so that a cluster can run it; by its hash, and by its text where the server does not know it (yet). */
  run(script: RedisScript, keys: readonly [string, ...string[]], ...args: readonly string[]): Promise<unknown>
}

export interface RedisCommandLimits {
  /** Commands without an answer yet; one more is rejected. */
  readonly pending: number
  /** Characters of all of them. */
  readonly pendingSize: number
  /** Milliseconds until a command counts as failed. It may have been carried out all the same. */
  readonly deadline: number
}

export const redisCommandLimits: RedisCommandLimits = { pending: 10_000, pendingSize: 16_777_216, deadline: 2_000 }

export function redisCommands(
  connection: RedisConnection,
  limits: RedisCommandLimits = redisCommandLimits,
): RedisCommands {
  let pending = 0
  let pendingSize = 0

  const send = async (key: string, ...args: readonly string[]): Promise<unknown> => {
    if (!connection.up) throw new Error('Redis is away')
    if (pending >= limits.pending || pendingSize >= limits.pendingSize)
      throw new Error('too many commands wait for Redis')
    const size = args.reduce((sum, arg) => sum + arg.length, 0)
    pending++
    pendingSize += size
    // Counted until the client lets go of it, not until the caller gives up: that is what holds the memory.
    const answer = connection.send(key, args).finally(() => {
      pending--
      pendingSize -= size
    })
    return answerOfRedis(answer, limits.deadline)
  }

  return {
    send,
    async run({ text, sha1 }, keys, ...args) {
      const rest = [String(keys.length), ...keys, ...args]
      try {
        return await send(keys[0], 'EVALSHA', sha1, ...rest)
      } catch (error) {
        // A restarted server, or another node of the cluster, has not seen it.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return send(keys[0], 'EVAL', text, ...rest)
      }
    },
  }
}

/** An answer of Redis, or of a client that waits for one. Rejects when it stays silent for so long, in ms. */
export function answerOfRedis<T>(answer: Promise<T>, deadline: number): Promise<T> {
  return within(
    deadline,
    () => answer,
    () => new Error(`no answer from Redis within ${deadline} ms`),
  )
}
