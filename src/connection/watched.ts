import type { InboundVerdict } from '../inbound/verdict.ts'
import type { Outgoing } from '../outbound/outbound.ts'
import { lengthOfText, SharedFrame } from '../outbound/shared-frame.ts'
import type { Observed, Observer } from '../telemetry/observer.ts'

/** A socket that sends, as this sees it. */
interface Sender {
  readonly observer: Observer | undefined
  readonly admitted: Observed
}

type Content = Outgoing | SharedFrame

/**
 * Tells an observer of a payload once it is made. What is refused instead is told by an event.
 *
 * @param label its type, as far as it is declared; left out for a frame, which knows its own
 */
export function watchSent(sender: Sender, content: Content | Promise<Content | undefined>, label?: string): void {
  const { observer, admitted } = sender
  const tell = (ready: Content | undefined) => {
    if (ready === undefined) return
    const own = 'label' in ready ? ready.label : 'other'
    observer?.sent(admitted, label ?? own, bytesOf(ready))
  }
  if (content instanceof Promise) content.then(tell, () => {})
  else tell(content)
}

/** The type of an answer or a notice of ours. */
export function ownLabel(message: object): string {
  return 'type' in message && typeof message.type === 'string' ? message.type : 'other'
}

/** A name for what came, of which there are a few: what is not declared is a client's own text. */
export function labelOf(verdict: InboundVerdict, types: ReadonlySet<string> | undefined): string {
  if (verdict.kind === 'deliver') return verdict.type
  if (verdict.kind === 'deliver-binary') return 'binary'
  const { messageType } = verdict
  return messageType !== undefined && types?.has(messageType) === true ? messageType : 'other'
}

function bytesOf(content: Content): number {
  if (content instanceof SharedFrame) return content.length
  const { payload } = content
  return typeof payload === 'string' ? lengthOfText(payload) : payload.byteLength
}
