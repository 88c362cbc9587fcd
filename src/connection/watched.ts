import type { InboundVerdict } from '../inbound/verdict.ts'
import { lengthOfText } from '../outbound/long-text.ts'
import type { Outgoing } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import type { Observed, Observer, WatchedMessage } from '../telemetry/observer.ts'

type Content = Outgoing | SharedFrame

interface Watched extends Observed {
  readonly policy: Observed['policy'] & { readonly types: ReadonlySet<string> | undefined }
}

/**
 * Tells of a message in, once it is known what it is.
 *
 * @param verdict left out for a message of a route that declares none
 */
export function watchReceived(
  observer: Observer,
  watched: WatchedMessage | undefined,
  socket: Watched,
  bytes: number,
  verdict: InboundVerdict | undefined,
): void {
  const label = labelOf(verdict, socket.policy.types)
  observer.received(socket, label, bytes)
  watched?.decided(label, verdict?.kind === 'refuse' ? verdict.code : undefined)
}

/**
 * Tells an observer of a payload once it is made. What is refused instead is told by an event.
 *
 * @param label its type, as far as it is declared; left out for a frame, which knows its own
 */
export function watchSent(
  observer: Observer,
  socket: Observed,
  content: Content | Promise<Content | undefined>,
  label?: string,
): void {
  if (content instanceof Promise)
    content.then(
      (ready) => tell(observer, socket, ready, label),
      () => {},
    )
  else tell(observer, socket, content, label)
}

function tell(observer: Observer, socket: Observed, content: Content | undefined, label?: string): void {
  if (content instanceof SharedFrame) observer.sent(socket, label ?? content.label, content.length)
  else if (content !== undefined) observer.sent(socket, label ?? 'other', counted(content))
}

/** The frame takes its length from here: to count a long text twice would cost as much as all of telemetry. */
function counted(content: Outgoing): number {
  const { payload } = content
  content.length ??= typeof payload === 'string' ? lengthOfText(payload) : payload.byteLength
  return content.length
}

/** The type of an answer or a notice of ours. */
export function ownLabel(message: object): string {
  return 'type' in message && typeof message.type === 'string' ? message.type : 'other'
}

/** A name for what came, of which there are a few: what is not declared is a client's own text. */
function labelOf(verdict: InboundVerdict | undefined, types: ReadonlySet<string> | undefined): string {
  if (verdict === undefined) return 'raw'
  if (verdict.kind === 'deliver') return verdict.type
  if (verdict.kind === 'deliver-binary') return 'binary'
  const { messageType } = verdict
  return messageType !== undefined && types?.has(messageType) === true ? messageType : 'other'
}
