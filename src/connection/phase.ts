/** The one state of a connection: everything that may be done with it follows from this. */
export type Phase =
  /** The handler is at work: nothing is read, everything may be sent. */
  | { readonly is: 'opening'; readonly ended: false }
  | { readonly is: 'open'; readonly ended: false }
  /** Nothing is delivered to a listener and nothing new is sent. What was sent before may still be on its way out. */
  | { readonly is: 'closing'; readonly ended: true; readonly code: number }
  /** The TCP connection is gone. */
  | { readonly is: 'closed'; readonly ended: true; readonly code: number }

export const opening: Phase = Object.freeze({ is: 'opening', ended: false })
const open: Phase = Object.freeze({ is: 'open', ended: false })

/** The next phases. They go one way, and the code that began the end stays. */
export function opened(phase: Phase): Phase {
  return phase.is === 'opening' ? open : phase
}

export function closing(phase: Phase, code: number): Phase {
  return phase.ended ? phase : { is: 'closing', ended: true, code }
}

export function closed(phase: Phase, code: number): Extract<Phase, { readonly is: 'closed' }> {
  return { is: 'closed', ended: true, code: phase.ended ? phase.code : code }
}
