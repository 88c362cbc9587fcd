import { redisBus } from 'fastify-secure-ws'
import { startDemo } from './demo.ts'

const plain = process.argv.includes('--plain')
const port = Number(process.env.PORT ?? (plain ? 8080 : 8443))
/** Several nodes of one chat: the same two on each of them. */
const { REDIS_URL: url, BUS_SECRET: secret } = process.env

const certificateAdvice = `
  The certificate was made on this machine a moment ago and no authority knows it, so your browser asks before it shows a
  page of either name. Choose "Advanced" and go on; or run npm run start:plain, which needs no certificate.
`

try {
  const { chat, attacker, neighbour, close } = await startDemo({
    port,
    // Port 0 is any free one, of both.
    attackerPort: port === 0 ? 0 : port + 1,
    plain,
    ...(url && { bus: redisBus({ url, channel: 'demo', secret: secret ?? '' }) }),
  })
  console.log(`
  A chat, secured by fastify-secure-ws

    ${chat}    the chat: sign in with any name, then open a second tab
    ${attacker}    the attacker: the chat has a button for it
    ${neighbour}    the same attacker, on a name to which your browser sends the chat's cookie
${plain ? '' : certificateAdvice}
  What protects the chat
    before the handshake    TLS (or this machine only), Host, Origin, fetch metadata, counts, a signed __Host- session cookie
    each message            a declared type, a strict schema, a rate per type; the rest is refused
    each answer             every string HTML-encoded, so that the page may put it into innerHTML
    for as long as it lives heartbeat, back-pressure, size and time limits; logging out closes every tab
    afterwards              audit events, shown live on the page

  Ctrl+C stops it.
`)
  // Sockets are told (1012) before they are cut. A second Ctrl+C does not wait for that.
  process.once('SIGINT', () => void close())
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
  console.error(
    `Port ${port} or ${port + 1} is taken. Choose another pair: PORT=9443 npm run ${plain ? 'start:plain' : 'start'}`,
  )
  process.exitCode = 1
}
