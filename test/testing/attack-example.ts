import { subscribe } from 'node:diagnostics_channel'
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { attacks } from 'fastify-secure-ws/testing'

/** A program: starts the examples of its arguments in this process, and attacks every socket route of them. Prints a line for each. */
const apps: FastifyInstance[] = []
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { readonly fastify: FastifyInstance }
  // The port of the example may be taken, and nobody comes by it: the kit brings its own connections.
  fastify.listen = async () => {
    await fastify.ready()
    return 'http://localhost'
  }
  apps.push(fastify)
})

for (const file of process.argv.slice(2)) {
  await import(pathToFileURL(file).href)
  for (const app of apps.splice(0)) {
    if (!app.hasDecorator('secureWs')) continue
    for (const explained of app.secureWs.explain()) {
      const { route, authenticate } = explained as { route: string; authenticate: { anonymous: boolean } }
      const session = { id: 's1', userId: 'ada', authenticatedAt: Date.now(), rooms: ['7'], can: () => true }
      const somebody = authenticate.anonymous ? {} : { session }
      const report = await attacks(app, route.replace(/:\w+|\*/g, '7'), { roles: { somebody } })
      const holes = report.holes.map(({ code, attack }) => `${code}: ${attack}`)
      process.stdout.write(`found ${JSON.stringify({ file, route, attacks: report.rows.length, holes })}\n`)
    }
  }
}
process.exit()
