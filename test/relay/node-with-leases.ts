import { createLeases } from '../../src/capacity/leases.ts'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { createRelay } from '../../src/relay/relay.ts'

// A node of its own, to be killed: it takes the one place there is, is present in a room, and says so.
const [url = '', secret = '', ttl = ''] = process.argv.slice(2)
const bus = redisBus({ url, channel: 'app', secret })
const relay = createRelay({
  bus,
  onMessage: () => {},
  onRefused: (reason) => console.error(reason),
  onFailure: (stage, error) => console.error(stage, error),
})
await relay.start()
const { counters, presence } = bus.stores ?? {}
if (counters === undefined || presence === undefined) throw new Error('no stores')
const leases = createLeases({ counters, nodeId: relay.nodeId, ttl: Number(ttl), onFailure: console.error })
if ((await leases.take('user u', 'socket 1', 1)) === undefined) throw new Error('no place')
await presence.enter('lobby', 'u', Number(ttl))
setInterval(() => void presence.renew([{ key: 'lobby', holder: 'u' }], Number(ttl)), Number(ttl) / 3)
console.log('taken')
