import { start } from './abandoned.ts'

// A server that is allowed few files (`ulimit -n`), and tells its port. Ends with its parent.
const { port } = await start(
  { after: (done) => process.once('disconnect', done) },
  { options: { limits: { handshake: 200 } }, before: (app) => app.get('/never', () => new Promise(() => {})) },
)
process.send?.(port)
