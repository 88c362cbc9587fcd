/** The child: one peer, told what to do by the client's process. */
import { countGarbage, type Garbage } from './garbage.ts'
import { type PeerName, peers } from './peers.ts'

export type Command =
  | { readonly kind: 'broadcast'; readonly text: string; readonly times: number }
  | { readonly kind: 'memory' }
  | { readonly kind: 'count garbage' }
  | { readonly kind: 'garbage' }

const [, , name, heartbeats] = process.argv
const peer = await peers[name as PeerName]({ heartbeats: heartbeats === 'heartbeats' })

let garbage: (() => Garbage) | undefined

process.on('message', async (command: Command) => {
  if (command.kind === 'broadcast') {
    peer.broadcast(command.text, command.times)
    return
  }
  if (command.kind === 'count garbage') {
    garbage = countGarbage()
    return
  }
  if (command.kind === 'garbage') {
    process.send?.(garbage?.())
    return
  }
  // Twice, with a turn between them: what a finalizer lets go of is garbage only then.
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send?.({ heap: heapUsed, external, rss, connected: peer.connected() })
})
process.on('disconnect', () => process.exit())
process.send?.({ port: peer.port })
