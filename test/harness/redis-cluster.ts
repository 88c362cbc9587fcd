import { freePort } from './free-port.ts'
import { type RedisServer, type RedisServerOptions, startRedis } from './redis.ts'
import { until } from './until.ts'

export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  flush(): Promise<void>
  close(): Promise<void>
}

/** Three masters on 127.0.0.1, each with a third of the slots, and no replicas. */
export async function startRedisCluster(options: Pick<RedisServerOptions, 'acl'> = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const busPort = await freePort()
      const config = ['cluster-enabled yes', 'cluster-node-timeout 5000', `cluster-port ${busPort}`]
      return { busPort, server: await startRedis({ ...options, config }) }
    }),
  )
  const servers = nodes.map(({ server }) => server)
  const slots = ['0 5460', '5461 10922', '10923 16383']
  for (const [index, { server }] of nodes.entries()) {
    await server.cli('CLUSTER', 'ADDSLOTSRANGE', ...(slots[index] ?? '').split(' '))
    for (const other of nodes) {
      if (other.server !== server) {
        await server.cli('CLUSTER', 'MEET', '127.0.0.1', String(other.server.port), String(other.busPort))
      }
    }
  }
  for (const server of servers) {
    await until(async () => {
      const state = await server.cli('CLUSTER', 'INFO')
      return state.includes('cluster_state:ok') && state.includes('cluster_size:3')
    }, 'the cluster had formed')
  }
  return {
    nodes: servers,
    async flush() {
      for (const server of servers) await server.cli('FLUSHALL')
    },
    async close() {
      for (const server of servers) await server.close()
    },
  }
}
