/** Handshakes per second of the server's CPU time, accepted and refused for their Origin: `node bench/handshake.ts`. */
import { beRefused, open } from './harness/client.ts'
import { compare, inTurns, perCpuSecond, type Server, start } from './harness/measure.ts'

const milliseconds = 500
const rounds = 7
const atOnce = 16

/** So many clients, one handshake after the other, until the time is over. */
async function repeat(handshake: () => Promise<void>): Promise<number> {
  const end = performance.now() + milliseconds
  let done = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < end) {
        await handshake()
        done++
      }
    }),
  )
  return done
}

async function accepted({ name, port }: Server): Promise<void> {
  const { stream } = await open(name, port)
  stream.destroy()
}

async function refused({ name, port }: Server): Promise<void> {
  const status = await beRefused(name, port)
  if (status !== 403) throw new Error(`${name} answered ${status}`)
}

const servers = await Promise.all(
  (['ours', 'ws', '@fastify/websocket', 'socket.io'] as const).map((name) => start(name)),
)
compare(
  'handshake, accepted',
  await inTurns(servers, rounds, (server) => perCpuSecond(server, () => repeat(() => accepted(server)))),
)
const refusing = [...servers.filter(({ name }) => name === 'ours'), await start('Fastify 403')]
compare(
  'handshake, refused',
  await inTurns(refusing, rounds, (server) => perCpuSecond(server, () => repeat(() => refused(server)))),
)
for (const server of [...servers, ...refusing]) server.stop()
process.exit()
