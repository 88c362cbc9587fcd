import { randomUUID } from 'node:crypto'
import type { RightMessage } from './hostile-message.ts'
import type { Stage, Target } from './stage.ts'

/** The `id` of each message that asks for an answer: there is one to a socket at a time. */
export const id = 1

/** The envelope and the body of a message as the schema wants it. */
export function rightMessageOf(
  stage: Stage,
  { type, schema, replay }: Target,
  body: Readonly<Record<string, unknown>>,
): RightMessage {
  const nonce = replay ? { nonce: randomUUID(), at: Date.now() } : {}
  return { envelope: { type, ...(stage.answers && { id }), ...nonce }, body, schema }
}
