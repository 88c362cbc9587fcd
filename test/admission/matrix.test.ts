import { optionsOf } from '../attacks/handshake-matrix.ts'
import { runHandshakeMatrix } from '../attacks/run-handshake-matrix.ts'
import { guardedServer } from './guarded-server.ts'

// The admission checks alone, without the plugin around them: what they refuse, they refuse by themselves.
runHandshakeMatrix((policy, tls) => {
  const trustProxy = policy.trustProxy === false ? false : [...policy.trustProxy]
  return guardedServer(optionsOf(policy), { tls, trustProxy })
})
