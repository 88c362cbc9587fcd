import { readFileSync } from 'node:fs'
import { createServer as createPlainServer, request as httpRequest, type RequestListener } from 'node:http'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Certificate } from './certificate.ts'

export interface Attacker {
  /** On the loopback address; the port that it got. */
  listen(port: number): Promise<number>
  /** Which chat to attack: an origin. */
  aimAt(chat: string): void
  close(): Promise<void>
}

/**
 * Somebody else's web site. Its page opens a socket to the chat in the visitor's browser (cross-site WebSocket hijacking).
 * A browser never tells a page why a handshake failed; so this server repeats it, byte for byte what the browser sent
 * except the cookie, which it has not got, and reads the answer.
 */
export function createAttacker(certificate: Certificate | undefined): Attacker {
  const scheme = certificate === undefined ? 'http' : 'https'
  let chat = ''
  const files = new Map<string, { type: string; text: string }>(
    (
      [
        ['/', 'attacker.html', 'text/html'],
        ['/attacker.js', 'attacker.js', 'text/javascript'],
        ['/attacker.css', 'attacker.css', 'text/css'],
      ] as const
    ).map(([path, file, type]) => [
      path,
      { type: `${type}; charset=utf-8`, text: readFileSync(new URL(`pages/${file}`, import.meta.url), 'utf8') },
    ]),
  )
  const answer: RequestListener = async (request, response) => {
    const origin = `${scheme}://${request.headers.host}`
    if (request.url === '/target') return json({ url: `${chat.replace('http', 'ws')}/chat` })
    if (request.url === '/same-handshake') return json(await handshakeFrom(origin))
    const file = files.get(request.url ?? '')
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' })
    response.end(file?.text ?? 'Not found')

    function json(value: unknown): void {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(value))
    }
  }
  const server = certificate === undefined ? createPlainServer(answer) : createServer({ ...certificate }, answer)

  function handshakeFrom(origin: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve) => {
      const ask = certificate === undefined ? httpRequest : httpsRequest
      const attempt = ask(`${chat}/chat`, {
        ...(certificate === undefined ? {} : { ca: certificate.cert }),
        agent: false,
        timeout: 5_000,
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          origin,
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        },
      })
      attempt.on('response', (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          body += chunk
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }))
        answer.on('error', (error) => resolve({ status: answer.statusCode ?? 0, body: error.message }))
      })
      attempt.on('upgrade', (answer, socket) => {
        socket.destroy()
        resolve({ status: answer.statusCode ?? 0, body: '' })
      })
      attempt.on('timeout', () => attempt.destroy(new Error('no answer')))
      attempt.on('error', (error) => resolve({ status: 0, body: error.message }))
      attempt.end()
    })
  }

  return {
    listen: (port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
      }),
    aimAt(origin) {
      chat = origin
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
