/**
 * Whether this node knows what the others know: `away` without a connection to the bus, `catching-up` until all that was missed
 * meanwhile is read. Whoever needs a session is refused in both.
 */
export type BusHealth = 'up' | 'away' | 'catching-up'

/** The answer of `app.secureWs.health`. */
export interface Health {
  /** Whether this node should be sent new handshakes. */
  readonly ready: boolean
  /** The reason, where it should not. */
  readonly reason?: 'draining' | 'bus-away' | 'bus-catching-up'
}

/** The part of a reply that the handler uses. */
export interface HealthReply {
  /** Sets the status. */
  code(status: number): unknown
  /** Sets a header. */
  header(name: string, value: string): unknown
}

/** A handler that answers 200 or 503, for a probe that anybody may ask: it names the reason and no number. */
export type HealthHandler = (request: unknown, reply: HealthReply) => Promise<Health>

/**
 * Decides whether a load balancer should send handshakes here. A server that is full stays ready: whoever fills it up must not
 * take its plain routes away from everybody.
 */
export function healthOf({ drain, bus }: { readonly drain: object | null; readonly bus: BusHealth }): Health {
  if (drain !== null) return { ready: false, reason: 'draining' }
  if (bus !== 'up') return { ready: false, reason: `bus-${bus}` }
  return { ready: true }
}

export function createHealthHandler(read: () => Parameters<typeof healthOf>[0]): HealthHandler {
  return async (_request, reply) => {
    const health = healthOf(read())
    reply.code(health.ready ? 200 : 503)
    // The answer of a moment: a cache in between would keep it.
    reply.header('cache-control', 'no-store')
    return health
  }
}
