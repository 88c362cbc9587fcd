import assert from 'node:assert/strict'
import fastify from 'fastify'
import secureWs from '../../src/index.ts'
import { testCertificate } from '../harness/certificate.ts'
import { optionsOf } from './handshake-matrix.ts'
import { runHandshakeMatrix } from './run-handshake-matrix.ts'

// Cross-site WebSocket hijacking, DNS rebinding, forged proxy headers, odd syntax: the whole plugin, as users register it.
runHandshakeMatrix(async (policy, tls) => {
  const trustProxy = policy.trustProxy === false ? false : [...policy.trustProxy]
  const app = fastify({ trustProxy, forceCloseConnections: true, ...(tls && { https: await testCertificate() }) })
  await app.register(secureWs, { ...optionsOf(policy), authenticate: false })
  app.get('/ws', { websocket: true }, (socket) => socket.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { port: address.port, close: () => app.close() }
})
