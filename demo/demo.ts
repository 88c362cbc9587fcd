import type { FastifyInstance } from 'fastify'
import { createAttacker } from './attacker.ts'
import { localCertificate } from './certificate.ts'
import { createChat } from './chat.ts'

export interface DemoOptions {
  readonly port: number
  readonly attackerPort: number
}

export interface Demo {
  readonly chat: string
  readonly attacker: string
  /** The attacker under the chat's own host name and another port: another origin, but the same site. */
  readonly neighbour: string
  close(): Promise<void>
}

/** The chat and its attacker, on two origins of the loopback address (port 0: any free one). Throws what listening throws, with nothing left open. */
export async function startDemo({ port, attackerPort }: DemoOptions): Promise<Demo> {
  const certificate = await localCertificate()
  const attacker = createAttacker(certificate)
  const attackerAt = await attacker.listen(attackerPort)
  const urls = { attacker: `https://127.0.0.1:${attackerAt}`, neighbour: `https://localhost:${attackerAt}` }

  let app: FastifyInstance | undefined
  try {
    app = await createChat({ certificate, attackerUrl: urls.attacker })
    const { port: chatAt } = new URL(await app.listen({ port, host: '127.0.0.1' }))
    const chat = `https://localhost:${chatAt}`
    attacker.aimAt(chat)
    const servers = [attacker, app]
    return { chat, ...urls, close: async () => void (await Promise.all(servers.map((server) => server.close()))) }
  } catch (error) {
    await attacker.close()
    await app?.close()
    throw error
  }
}
