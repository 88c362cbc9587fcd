import type { FastifyInstance } from 'fastify'
import type { Bus } from 'fastify-secure-ws'
import { createAttacker } from './attacker.ts'
import { localCertificate } from './certificate.ts'
import { createChat } from './chat.ts'

export interface DemoOptions {
  readonly port: number
  readonly attackerPort: number
  /** http://localhost, which browsers trust as they trust TLS: no certificate, and no warning. */
  readonly plain?: boolean
  /** To talk with other nodes of the chat. Left out: this one is alone. */
  readonly bus?: Bus | undefined
}

export interface Demo {
  readonly chat: string
  readonly attacker: string
  /** The attacker under the chat's own host name and another port: another origin, but the same site. */
  readonly neighbour: string
  close(): Promise<void>
}

/** The chat and its attacker, on two origins of the loopback address (port 0: any free one). Throws what listening throws, with nothing left open. */
export async function startDemo({ port, attackerPort, plain = false, bus }: DemoOptions): Promise<Demo> {
  const certificate = plain ? undefined : await localCertificate()
  const scheme = plain ? 'http' : 'https'
  const attacker = createAttacker(certificate)
  const attackerAt = await attacker.listen(attackerPort)
  const urls = { attacker: `${scheme}://127.0.0.1:${attackerAt}`, neighbour: `${scheme}://localhost:${attackerAt}` }

  let app: FastifyInstance | undefined
  try {
    app = await createChat({ certificate, attackerUrl: urls.attacker, bus })
    const { port: chatAt } = new URL(await app.listen({ port, host: '127.0.0.1' }))
    const chat = `${scheme}://localhost:${chatAt}`
    attacker.aimAt(chat)
    const servers = [attacker, app]
    return { chat, ...urls, close: async () => void (await Promise.all(servers.map((server) => server.close()))) }
  } catch (error) {
    await attacker.close()
    await app?.close()
    throw error
  }
}
