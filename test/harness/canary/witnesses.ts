/** Marks every handshake that this process serves, notes the secrets that clients send, and looks for them in every sink. */
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { measureThemselves } from './exceptions.ts'
import { watchLogs } from './logs.ts'
import { watchMeters } from './meters.ts'
import { file, look, seen } from './sinks.ts'
import { traceEverything, watchSpans } from './traces.ts'
import { watchTraffic } from './traffic.ts'

const require = createRequire(import.meta.url)

watchLogs(require)
watchSpans()
if (!measureThemselves.includes(file)) {
  subscribe('fastify-secure-ws:audit', (event) => {
    const { room: _room, messageType: _type, ...rest } = Object(event)
    seen('event', 'audit', String(rest.type))
    look('audit', JSON.stringify(rest))
  })
  watchMeters(require)
  traceEverything(require)
}
watchTraffic(require)
