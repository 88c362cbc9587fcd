/** Marks every handshake that this process serves, notes the secrets that clients send, and looks for them in every sink. */
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { watchLogs } from './logs.ts'
import { watchMeters } from './meters.ts'
import { look, seen } from './sinks.ts'
import { watchTraces } from './traces.ts'
import { watchTraffic } from './traffic.ts'

const require = createRequire(import.meta.url)

subscribe('fastify-secure-ws:audit', (event) => {
  const { room: _room, messageType: _type, ...rest } = Object(event)
  seen('event', 'audit', String(rest.type))
  look('audit', JSON.stringify(rest))
})
watchLogs(require)
watchMeters(require)
watchTraces(require)
watchTraffic(require)
