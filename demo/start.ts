import { startDemo } from './demo.ts'

const port = Number(process.env.PORT ?? 8443)

try {
  const { chat, attacker, neighbour, close } = await startDemo({ port, attackerPort: port + 1 })
  console.log(`
  A chat, secured by fastify-secure-ws

    ${chat}    the chat: sign in with any name, then open a second tab
    ${attacker}    the attacker: the chat has a button for it
    ${neighbour}    the same attacker, on a name to which your browser sends the chat's cookie

  The certificate was made on this machine, so your browser warns once for each of the two names.
  That is as it should be: go on ("Advanced").

  What protects the chat
    before the handshake    TLS, Host, Origin, fetch metadata, counts, a signed __Host- session cookie
    each message            a declared type, a strict schema, a rate per type; the rest is refused
    each answer             every string HTML-encoded, so that the page may put it into innerHTML
    for as long as it lives heartbeat, back-pressure, size and time limits; logging out closes every tab
    afterwards              an audit event for every decision, shown live on the page

  Ctrl+C stops it.
`)
  // Sockets are told (1012) before they are cut. A second Ctrl+C does not wait for that.
  process.once('SIGINT', () => void close())
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
  console.error(`Port ${port} or ${port + 1} is taken. Choose another pair: PORT=9443 npm start`)
  process.exitCode = 1
}
