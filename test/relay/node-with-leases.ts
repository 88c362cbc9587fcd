import { createLeases } from '../../src/capacity/leases.ts'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { createHoldings } from '../../src/relay/holdings.ts'
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
if (bus.stores === undefined) throw new Error('no stores')
const holdings = createHoldings({ store: bus.stores.leases, ttl: Number(ttl), onFailure: console.error })
if ((await createLeases(holdings).take('user u', 'socket 1', 1)) === undefined) throw new Error('no place')
holdings.put('room:lobby', 'u')
await holdings.holders('room:lobby')
console.log('taken')
