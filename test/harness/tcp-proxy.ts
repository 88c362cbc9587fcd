import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A wire between a node and its Redis, which can be cut without either noticing at once. */
export interface TcpProxy {
  readonly port: number
  /** Every connection is closed, and new ones are at once. */
  cut(): void
  /** Nothing passes any more, in either direction, and nobody is told: a peer that vanished. New connections are taken and stay silent. */
  hush(): void
  /** As before. Connections that were hushed are closed: what they missed is lost. */
  mend(): void
  /** What passes arrives so many ms later, in its order: a Redis in another building. */
  delay(ms: number): void
  close(): Promise<void>
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let mode: 'open' | 'cut' | 'hushed' = 'open'
  let later = 0

  const server = createServer((near) => {
    near.on('error', () => {})
    if (mode === 'cut') return near.destroy()
    const far = connect({ port: target, host: '127.0.0.1' })
    far.on('error', () => near.destroy())
    const pair = [near, far] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [far, near]] as const) {
      from.setNoDelay(true)
      from.on('data', (chunk) => {
        if (mode !== 'open') return
        // Timers of one length go off in the order in which they were set.
        if (later > 0) setTimeout(() => mode === 'open' && to.write(chunk), later)
        else to.write(chunk)
      })
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  // Closed, not reset: after `resetAndDestroy` here Node 24 sometimes spun for ever while it ended.
  const closeAll = (): void => {
    for (const [near, far] of pairs) {
      near.destroy()
      far.destroy()
    }
  }
  return {
    port: address.port,
    cut() {
      mode = 'cut'
      closeAll()
    },
    hush() {
      mode = 'hushed'
    },
    mend() {
      if (mode === 'hushed') closeAll()
      mode = 'open'
    },
    delay(ms) {
      later = ms
    },
    async close() {
      closeAll()
      server.close()
      await once(server, 'close')
    },
  }
}
