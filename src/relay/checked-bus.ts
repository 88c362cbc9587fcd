import { KeyObject } from 'node:crypto'
import { badOption } from '../errors.ts'
import type { Bus } from './bus.ts'

/**
 * A bus as an application gives it.
 * @throws SecureWsError `SWS_BAD_OPTION` for what is no bus, and for one that signs nothing and does not say so
 */
export function checkBus(value: unknown): Bus {
  if (isBus(value)) return refuseUnsigned(value)
  throw badOption('bus', value, 'Write memoryBus(), redisBus({ ... }), or an object with subscribe, publish and close.')
}

/** A message on the network comes from whoever can write there: a forged envelope speaks in rooms and ends sessions. */
function refuseUnsigned(bus: Bus): Bus {
  const { name, secret, dangerouslyUnsigned = false } = bus
  if (typeof dangerouslyUnsigned !== 'boolean')
    throw badOption('bus.dangerouslyUnsigned', dangerouslyUnsigned, 'Write true, or leave it out.')
  if (name === 'memory' || dangerouslyUnsigned) return bus
  const isKeys = Array.isArray(secret) && secret.length > 0 && secret.every((key) => key instanceof KeyObject)
  if (isKeys) return bus
  throw badOption(
    'bus.secret',
    secret === undefined ? undefined : 'given',
    'Give the bus the keys that sign between nodes: `secret: [createSecretKey(bytes)]` with 32 bytes or more, the same on every node. If nobody else can publish on it, say so: `dangerouslyUnsigned: true`.',
  )
}

function isBus(value: unknown): value is Bus {
  if (typeof value !== 'object' || value === null) return false
  return ['subscribe', 'publish', 'close'].every((name) => typeof Reflect.get(value, name) === 'function')
}
