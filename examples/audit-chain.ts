import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import Fastify from 'fastify'
import secureWs, { auditChain } from 'fastify-secure-ws'

const file = process.env.AUDIT_FILE ?? 'audit.jsonl'
// The chain goes on behind the last line of the run before.
const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
const records = openSync(file, 'a')
const chain = auditChain({
  write: (line) => writeSync(records, `${line}\n`),
  key: process.env.AUDIT_KEY ?? '', // 32 random characters or more, kept where the file is not
  ...(lines[0] ? { after: lines.at(-1) ?? '' } : {}),
})

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false, audit: chain })
app.get('/clock', { websocket: true }, (socket) => socket.send({ type: 'now', at: new Date().toISOString() }))
app.addHook('onClose', () => {
  // Keep this line on another machine: it tells where the file must end.
  app.log.info({ head: chain.head() }, 'audit chain')
  closeSync(records)
})

process.once('SIGTERM', () => app.close())
await app.listen({ port: 3000 })
