import type { Denial } from '../session/denials.ts'
import { answered } from './answered.ts'
import { type Bus, controlTopic, roomTopic } from './bus.ts'
import { envelopeLimit, mostSubjects, type RelayMessage, sealEnvelope } from './envelope.ts'
import type { OwnWords } from './own-words.ts'

export interface SenderOptions {
  readonly bus: Bus
  /** Whose words they are. */
  readonly own: Pick<OwnWords, 'name' | 'next' | 'note'>
  readonly now: () => number
  /** How long the bus may take, in ms, before a message counts as not sent: `revoke` waits for it. */
  readonly deadline?: number
}

/** Signs what this process has to say, and hands it to the bus. */
export interface Sender {
  /** Rejects, or throws, when the bus has not taken it, or stays silent. */
  send(message: RelayMessage): Promise<void>
}

/** The topic that a message travels on. */
export function topicOf(message: RelayMessage): string {
  return message.kind === 'room' ? roomTopic(message.room) : controlTopic
}

/** Denials as messages, so many in each as an envelope holds. */
export function aboutDenials(verb: 'close' | 'doubt', denials: readonly Denial[]): RelayMessage[] {
  const messages: RelayMessage[] = []
  for (let from = 0; from < denials.length; from += mostSubjects) {
    messages.push({ kind: 'identity', verb, subjects: denials.slice(from, from + mostSubjects) })
  }
  return messages
}

export function createSender({ bus, own, now, deadline }: SenderOptions): Sender {
  return {
    send(message) {
      const [sequence, at, topic] = [own.next(), now(), topicOf(message)]
      const payload = sealEnvelope(topic, { node: own.name, sequence, at, message }, bus.secret)
      if (payload.length > envelopeLimit) throw new RangeError(`envelope larger than ${envelopeLimit} characters`)
      own.note(sequence, at, payload)
      return answered(() => bus.publish(topic, payload), deadline)
    },
  }
}
