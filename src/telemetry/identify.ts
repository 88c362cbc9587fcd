import { createHmac, randomBytes } from 'node:crypto'
import type { AuditEntry } from './events.ts'

/** Shows the persons of an event in another way. */
export type Identify = (entry: AuditEntry) => AuditEntry

/**
 * Shows users and addresses as digests: the same one is the same in every event, and who it is can be said by those alone who
 * have the key. Without one of its own, each start of a process has another.
 *
 * A digest without a key would hide nobody: there are four thousand million addresses of IPv4, and a graphics card tries them
 * all in a second.
 */
export function identifyByDigest(key: string | Uint8Array = randomBytes(32)): Identify {
  const digest = (text: string) => createHmac('sha256', key).update(text).digest('hex').slice(0, 16)
  return (entry) => {
    const { user, address } = entry
    if (user === undefined && address === undefined) return entry
    return {
      ...entry,
      ...(user !== undefined && { user: digest(user) }),
      ...(address !== undefined && { address: digest(address) }),
    }
  }
}
