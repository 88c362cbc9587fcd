import { judgeAnswer, readAnswer } from '../inbound/answer.ts'
import type { InboundPolicy } from '../inbound/inbound.ts'
import type { Observed, Observer } from '../telemetry/observer.ts'
import { after, isThenable } from '../thenable.ts'
import { MessageSender, type Receiver } from './message-sender.ts'
import type { RefusedAnswer, Requests } from './requests.ts'

/** The socket that an answer may have come on. */
export interface AnsweredSocket extends Receiver {
  readonly policy: InboundPolicy
  readonly admitted: Observed
  readonly observer: Observer | undefined
  /** A clock that nobody can set. */
  uptime(): number
  /** Told of what nobody else has caught. Does not throw. */
  failed(error: unknown): void
}

/**
 * Takes a frame that is an answer, out of turn: a listener may be waiting for it, and the messages in front of it for the listener.
 *
 * @param conclude told of the refusal, or that there is none
 * @returns false for a frame that is something else, and takes its turn
 */
export function takeAnswer(
  requests: Requests,
  bytes: Buffer,
  socket: AnsweredSocket,
  conclude: (refusal: RefusedAnswer | undefined) => void,
): boolean {
  const { policy, observer, admitted } = socket
  const answer = readAnswer(bytes, policy.depth)
  if (answer === undefined) return false
  const taken = requests.heard(answer, (holder, schema) => {
    const judge = () => judgeAnswer(holder, schema, policy.sanitizeHtml)
    return policy.senders.matter ? policy.senders.as(new MessageSender(socket), judge) : judge()
  })
  const concluded = after(taken, (refusal) => {
    observer?.received(admitted, 'reply', bytes.length)
    const watched = observer?.watch(admitted, bytes.length, socket.uptime())
    const decided = () => watched?.decided('reply', refusal?.code)
    if (watched?.run === undefined) decided()
    else watched.run(decided)
    conclude(refusal)
  })
  if (isThenable(concluded)) concluded.then(undefined, (error: unknown) => socket.failed(error))
  return true
}
