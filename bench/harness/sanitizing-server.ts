/** A chat with rich text at the default limits, for bench/sanitize.ts. The argument is the source to load. */
const { default: Fastify } = await import('fastify')
const { default: secureWs }: typeof import('../../src/index.ts') = await import(process.argv[2] ?? '../../src/index.ts')

const app = Fastify()
await app.register(secureWs, {
  allowMissingOrigin: true,
  authenticate: (request) => ({ id: String(request.headers['x-user']) }),
})
const html = {
  type: 'object',
  properties: { html: { type: 'string', contentMediaType: 'text/html' } },
  required: ['html'],
}
const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }
const secured = { receives: { post: { schema: html }, say: { schema: text } } }
app.get('/', { websocket: true, secureWs: secured }, (socket) => {
  // The answer of a message with an id is what its listener returns.
  socket.on('post', () => true)
  socket.on('say', () => true)
})
const address = await app.listen({ port: 0, host: '127.0.0.1' })
process.send?.(Number(new URL(address).port))
process.on('message', () => process.send?.(process.memoryUsage().rss))
