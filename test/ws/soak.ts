import { fork } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { rawConnect, rawHandshake } from '../harness/raw-client.ts'
import { until } from '../harness/until.ts'
import { handshake, start, ways } from './abandoned.ts'

// `npm run soak:door`: 1,000 streams in each way in which one can be answered or abandoned without the guard, over TCP and TLS;
// and 5,000 against a server that may have 256 files. `test/ws/soak.test.ts` runs both with fewer.

const files = () => readdirSync('/proc/self/fd').length

/** The first server of a process opens files that stay with the process. */
let warm: Promise<void> | undefined

async function once(): Promise<void> {
  const closers: (() => unknown)[] = []
  const { port } = await start({ after: (done) => closers.push(done) }, {})
  await rawHandshake({ port, bytes: handshake(port, '/nowhere') })
  for (const close of closers) await close()
}

export interface Soaked {
  readonly name: string
  readonly events: number
  /** Open connections of the server, and files of the process, when it was over: what they were before. */
  readonly connections: number
  readonly filesLeft: number
  readonly closedWithin: number
}

/** Opens so many streams in one of the ways, and waits until the server has ended them all by itself. */
export async function soak(way: (typeof ways)[number], tls: boolean, streams: number): Promise<Soaked> {
  const [name, target, , setup, lead = ''] = way
  const closers: (() => unknown)[] = []
  const limits = {
    handshake: 1_000,
    connections: streams,
    handshakesPerMinutePerAddress: 100_000,
    connectionsPerAddress: 100_000,
  }
  const options = { ...setup.options, limits: { ...limits, refusedPerMinutePerAddress: 100_000 } }
  warm ??= once()
  await warm
  const before = files()
  const server = await start({ after: (done) => closers.push(done) }, { ...setup, options, tls })
  const { port, events, connections } = server
  let begun = 0
  while (begun < streams) {
    const batch = Math.min(100, streams - begun)
    begun += batch
    const clients = await Promise.all(
      Array.from({ length: batch }, async (_, at) => {
        const client = await rawConnect({ port, tls })
        client.socket.on('error', () => {})
        client.socket.resume()
        client.write(lead + handshake(port, target, tls))
        if (at % 2 === 0) client.socket.end()
        return client
      }),
    )
    await until(async () => (await connections()) === 0, `${name}: no connection is left`)
    for (const client of clients) client.close()
  }
  await until(() => events.filter(({ type }) => type === 'handshake.refused').length >= streams, 'an event each')
  const left = await connections()
  const startedAt = performance.now()
  for (const close of closers) await close()
  const closedWithin = Math.round(performance.now() - startedAt)
  await until(() => files() <= before, `${name}: every file is closed`)
  return {
    name: `${name}${tls ? ' (TLS)' : ''}`,
    events: events.filter(({ type }) => type === 'handshake.refused').length,
    connections: left,
    filesLeft: files() - before,
    closedWithin,
  }
}

/** So many abandoned streams against a server of 256 files: the status of an honest handshake afterwards. */
export async function soakFewFiles(streams: number): Promise<number> {
  const server = fork(new URL('few-files-server.ts', import.meta.url), {
    execPath: '/bin/sh',
    execArgv: ['-c', `ulimit -n 256 && exec '${process.execPath}' "$@"`, 'sh'],
  })
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.once('message', (told) => resolve(Number(told)))
      server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    })
    for (let begun = 0; begun < streams; begun += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, at) => {
          const client = await rawConnect({ port })
          client.socket.on('error', () => {})
          client.socket.resume()
          const gone = new Promise((resolve) => client.socket.once('close', resolve))
          const target = at % 2 === 0 ? '/never' : '/nowhere'
          client.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n${handshake(port, '/ws')}`)
          client.socket.end()
          await gone
        }),
      )
    }
    return (await rawHandshake({ port, bytes: handshake(port, '/ws') })).status
  } finally {
    server.kill()
  }
}

if (import.meta.main) {
  for (const tls of [false, true]) for (const way of ways) console.table([await soak(way, tls, 1_000)])
  console.log('5,000 streams against 256 files, then an honest handshake:', await soakFewFiles(5_000))
}
