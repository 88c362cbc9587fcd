/**
 * Preloaded: what a process draws and reads before it listens is the same in every process, as where one memory image is
 * started several times (a snapshot of a virtual machine). From then on each has its own time; random numbers go on being the
 * same for a while.
 */
import crypto, { type UUID } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { Server } from 'node:net'

const { randomUUID } = crypto
const { bigint } = process.hrtime
const { listen } = Server.prototype
let drawn = 0

crypto.randomUUID = (): UUID => {
  const [first, second] = [String(++drawn).padStart(8, '0'), '0000-4000-8000'] as const
  return drawn > 1_000 ? randomUUID() : `${first}-${second}-000000000000`
}
process.hrtime.bigint = () => 0n
Server.prototype.listen = new Proxy(listen, {
  apply(target, server, given) {
    process.hrtime.bigint = bigint
    return Reflect.apply(target, server, given)
  },
})
syncBuiltinESMExports()
