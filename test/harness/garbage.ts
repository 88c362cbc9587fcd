import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/**
 * Runs V8's garbage collector, whole and now, in a process that was started without a flag for it. More than once: memory of
 * buffers is given back behind its back, and counted the next time.
 */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    collect()
    await turn()
  }
}
