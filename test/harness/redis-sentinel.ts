import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from './redis.ts'
import { until } from './until.ts'

/** A primary, its replica, and a Sentinel that watches them: real processes on 127.0.0.1. */
export interface RedisSentinel {
  readonly name: string
  /** The port of the Sentinel. */
  readonly port: number
  readonly servers: readonly [RedisServer, RedisServer]
  /** The one that takes writes, by what the Sentinel says. */
  primary(): Promise<RedisServer>
  close(): Promise<void>
}

const replication = ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1']

export async function startRedisSentinel(): Promise<RedisSentinel> {
  const name = 'shop'
  const first = await startRedis({ config: replication })
  const second = await startRedis({ config: [...replication, `replicaof 127.0.0.1 ${first.port}`] })
  // Its port is found as theirs: it is a server without data.
  const watcher = await startRedis()
  const { port } = watcher
  await watcher.stop()
  const folder = await mkdtemp(join(tmpdir(), 'sws-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${name} 127.0.0.1 ${first.port} 1`,
      `sentinel down-after-milliseconds ${name} 2000`,
      `sentinel failover-timeout ${name} 2000`,
      '',
    ].join('\n'),
  )
  const sentinel = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
  const onExit = () => void sentinel.kill('SIGKILL')
  process.once('exit', onExit)
  const ask = (...args: readonly string[]) => watcher.cli('SENTINEL', ...args)
  await until(async () => (await ask('REPLICAS', name).catch(() => '')).includes(String(second.port)), 'it knows both')
  await until(async () => (await second.cli('INFO', 'replication')).includes('master_link_status:up'), 'it replicates')

  return {
    name,
    port,
    servers: [first, second],
    async primary() {
      const address = await ask('GET-MASTER-ADDR-BY-NAME', name)
      return address.includes(String(first.port)) ? first : second
    },
    async close() {
      process.removeListener('exit', onExit)
      const gone = once(sentinel, 'exit')
      sentinel.kill('SIGKILL')
      await gone
      await Promise.all([first, second, watcher].map((server) => server.close()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
