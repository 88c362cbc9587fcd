import assert from 'node:assert/strict'
import websocket from '@fastify/websocket'
import fastify, { type FastifyServerOptions } from 'fastify'
import { readHandshake } from '../../src/admission/handshake-request.ts'
import { askOrigins } from '../../src/admission/origin.ts'
import { type AdmissionOptions, compileAdmission } from '../../src/admission/policy.ts'
import { clientAddress, peerIsTrusted } from '../../src/admission/reached.ts'
import { notASocketRoute } from '../../src/admission/refusals.ts'
import { type Refusal, refusalBody } from '../../src/http/refusal.ts'
import { testCertificate } from '../harness/certificate.ts'
import { refusalOf } from './facts.ts'

export interface GuardedServer {
  readonly port: number
  /** The refusals so far, newest last. */
  readonly refusals: readonly Refusal[]
  close(): Promise<void>
}

export const strict = {
  allowMissingOrigin: false,
  dangerouslyAllowNullOrigin: false,
  dangerouslyAllowFileOrigin: false,
  allowInsecureTransport: false,
} as const

/** Fastify and @fastify/websocket with nothing but the admission checks in front, on a real socket. */
export async function guardedServer(
  options: AdmissionOptions,
  {
    tls = false,
    trustProxy = false,
  }: { tls?: boolean; trustProxy?: NonNullable<FastifyServerOptions['trustProxy']> } = {},
): Promise<GuardedServer> {
  const app = fastify({ trustProxy, forceCloseConnections: true, ...(tls && { https: await testCertificate() }) })
  const policy = compileAdmission(options, '')
  const refusals: Refusal[] = []
  await app.register(websocket)
  app.addHook('onRequest', async (request, reply) => {
    if (!request.ws) return
    const peer = { trusted: peerIsTrusted(request), address: clientAddress(request) }
    const facts = readHandshake(request.raw, peer)
    const refusal =
      refusalOf(facts, policy) ??
      (request.routeOptions.url === '/ws' ? undefined : notASocketRoute(request)) ??
      (await askOrigins(facts.origin, policy.origins, request))
    if (refusal === undefined) return
    refusals.push(refusal)
    await reply
      .code(refusal.status)
      .headers(refusal.headers ?? {})
      .send(refusalBody(refusal))
  })
  app.get('/ws', { websocket: true }, (socket) => socket.close())
  app.get('/plain', () => 'not a socket')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { port: address.port, refusals, close: () => app.close() }
}
