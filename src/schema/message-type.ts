/** The types of this package's own answers. A client could not tell them from a message of the route, so no route may send them. */
export const answerTypes: ReadonlySet<string> = new Set(['error', 'reply', 'left', 'expiring', 'request'])

/**
 * The types a route may not receive: events of EventEmitter and ws, then our own. A client must not be able to fire them by naming
 * them as its message's type.
 */
export const eventTypes: ReadonlySet<string> = new Set([
  'message',
  'close',
  'open',
  'ping',
  'pong',
  'upgrade',
  'unexpected-response',
  'redirect',
  'newListener',
  'removeListener',
  'drain',
  'binary',
  'refresh',
  ...answerTypes,
])
