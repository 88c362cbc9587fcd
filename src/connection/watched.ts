import { viewOf } from '../outbound/bytes.ts'
import type { OutboundPolicy, Outgoing } from '../outbound/outbound.ts'
import type { SharedFrame } from '../outbound/shared-frame.ts'
import { typeLabel } from '../outbound/type-label.ts'
import type { Observed, Observer } from '../telemetry/observer.ts'

/** A socket that sends, as this sees it. */
interface Sender {
  readonly observer: Observer | undefined
  readonly outbound: OutboundPolicy
  readonly admitted: Observed
}

type Content = Outgoing | SharedFrame

/**
 * Tells an observer of a payload once it is made. What is refused instead is told by an event.
 *
 * @param value that it was made of; left out for a frame, which knows its name
 */
export function watchSent(sender: Sender, content: Content | Promise<Content | undefined>, value?: unknown): void {
  const { observer, outbound, admitted } = sender
  const tell = (ready: Content | undefined) => {
    if (ready === undefined) return
    const label = 'label' in ready ? ready.label : typeLabel(value, outbound.types)
    observer?.sent(admitted, label, bytesOf(ready))
  }
  if (content instanceof Promise) content.then(tell, () => {})
  else tell(content)
}

/** The type of an answer or a notice of ours. */
export function ownLabel(message: object): string {
  return 'type' in message && typeof message.type === 'string' ? message.type : 'other'
}

function bytesOf({ payload }: Content): number {
  return typeof payload === 'string' ? Buffer.byteLength(payload) : viewOf(payload).length
}
