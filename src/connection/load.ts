import type { Load } from '../telemetry/gauges.ts'
import { Connection } from './connection.ts'
import type { Held } from './held.ts'

/** Adds up what waits in all sockets: for whoever collects metrics, a few times a minute. */
export function loadOf(sockets: Iterable<Held>, sanitizerQueue: number): Load {
  let unheard = 0
  let outputBytes = 0
  let slowReaders = 0
  for (const socket of sockets) {
    const waiting = socket instanceof Connection ? socket.waiting : socket.inWire
    if (socket instanceof Connection) unheard += socket.unheard
    outputBytes += waiting
    if (waiting > 0) slowReaders++
  }
  return { unheard, outputBytes, slowReaders, sanitizerQueue }
}
