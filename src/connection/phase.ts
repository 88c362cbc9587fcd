/** The one state of a connection: everything that may be done with it follows from this. */
export type Phase =
  /** The handler is at work: nothing is read, everything may be sent. */
  | { readonly is: 'opening' }
  | { readonly is: 'open' }
  /** Nothing is delivered to a listener and nothing new is sent. What was sent before may still be on its way out. */
  | { readonly is: 'closing'; readonly code: number }
  /** The TCP connection is gone. */
  | { readonly is: 'closed'; readonly code: number }

export const opening: Phase = Object.freeze({ is: 'opening' })
const open: Phase = Object.freeze({ is: 'open' })

/** The next phases. They go one way, and the code that began the end stays. */
export function opened(phase: Phase): Phase {
  return phase.is === 'opening' ? open : phase
}

export function closing(phase: Phase, code: number): Phase {
  return hasEnded(phase) ? phase : { is: 'closing', code }
}

export function closed(phase: Phase, code: number): Extract<Phase, { readonly is: 'closed' }> {
  return { is: 'closed', code: hasEnded(phase) ? phase.code : code }
}

export function hasEnded(phase: Phase): phase is Extract<Phase, { readonly code: number }> {
  return phase.is === 'closing' || phase.is === 'closed'
}
