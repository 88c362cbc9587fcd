import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

// Run by `known-ws.test.ts` with the folder of a copy of ws: everybody here gets that copy, and one client says what it got.

const [copy = ''] = process.argv.slice(2)
registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'ws' && specifier !== 'ws/package.json') return next(specifier, context)
    const file =
      specifier === 'ws' ? (context.conditions.includes('import') ? 'wrapper.mjs' : 'index.js') : 'package.json'
    return { url: pathToFileURL(`${copy}/${file}`).href, shortCircuit: true }
  },
})

const { default: fastify } = await import('fastify')
const { default: secureWs, SecureWsError } = await import('../../src/index.ts')
const { openPeer } = await import('../harness/raw-peer.ts')
const { text } = await import('../harness/frames.ts')

async function run(): Promise<unknown> {
  const app = fastify({ forceCloseConnections: true })
  try {
    await app.register(secureWs, { authenticate: false })
  } catch (error) {
    if (error instanceof SecureWsError) return { code: error.code, message: error.message }
    throw error
  }
  app.get('/ws', { websocket: true }, (socket) => {
    socket.join('room')
    socket.on('message', (said) => {
      socket.send('part', { fin: false })
      app.secureWs.to('room').send('to all')
      socket.ping('ping')
      socket.send(' of it')
      socket.send(new Blob(['blob']))
      socket.send(`heard ${said}`)
      socket.send('last words')
      socket.close(4000, 'end')
    })
  })
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  const peer = await openPeer({ port })
  peer.write(text('hello'))
  const closed = await peer.closeCode()
  const frames = peer.frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.toString('latin1')])
  await app.close()
  return { closed, frames }
}

process.stdout.write(JSON.stringify(await run()))
process.exit()
