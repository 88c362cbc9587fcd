import type { WebSocket } from 'ws'

/**
 * The `clients` of a server of ws, for whoever looks at them: made of the sockets that are open, at each look. The `Set` that
 * ws keeps itself would be a second list of the same sockets, and dearer than both (see `Row`).
 */
export function clientsOf(open: () => Iterable<WebSocket>): Set<WebSocket> {
  return new Proxy(new Set<WebSocket>(), {
    get(_unused, name) {
      // With these ws keeps its list, once for each socket.
      if (name === 'add' || name === 'delete') return keptElsewhere
      const now = new Set(open())
      const member: unknown = Reflect.get(now, name)
      return typeof member === 'function' ? member.bind(now) : member
    },
  })
}

function keptElsewhere(): boolean {
  return false
}
