/** The `ws` that @fastify/websocket's own tests get: a client that says, as browsers do, which page it belongs to. */
import { WebSocket } from 'ws'

class PageSocket extends WebSocket {
  constructor(url: string | null, protocols?: object | string, options?: WebSocket.ClientOptions) {
    if (url === null) super(url)
    else {
      // The suite passes its options second, which ws allows.
      const given = typeof protocols === 'object' && !Array.isArray(protocols) ? protocols : options
      super(url, { origin: new URL(url).origin.replace(/^ws/, 'http'), ...given })
    }
  }
}

export { PageSocket as 'module.exports' }
