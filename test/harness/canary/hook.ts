/**
 * `node --import ./test/harness/canary/hook.ts`: marks every handshake that this process serves, notes the secrets that clients
 * send, and looks for them in whatever an operator or another client gets. `npm run canary` runs the suite with it.
 */
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { watchLogs } from './logs.ts'
import { watchMeters } from './meters.ts'
import { look, seen } from './sinks.ts'
import { watchTraces } from './traces.ts'
import { watchTraffic } from './traffic.ts'

const require = createRequire(import.meta.url)

if (process.env.CANARY_FOLDER !== undefined) {
  subscribe('fastify-secure-ws:audit', (event) => {
    const { room: _room, messageType: _type, ...rest } = Object(event)
    seen('event', 'audit', String(rest.type))
    look('audit', JSON.stringify(rest))
  })
  watchLogs(require)
  watchMeters(require)
  watchTraces(require)
  watchTraffic(require)
}
