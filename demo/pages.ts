import { readFile } from 'node:fs/promises'
import type {} from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { encodeFor, type Session } from 'fastify-secure-ws'
import type { Sessions } from './sessions.ts'

/** `__Host-`: only this host can have set it, over TLS, for every path; a sibling name cannot plant one. */
export const cookieName = '__Host-session'

const assets = [
  ['/chat.js', 'text/javascript; charset=utf-8'],
  ['/chat.css', 'text/css; charset=utf-8'],
] as const

export interface PagesOptions {
  readonly sessions: Sessions
  readonly attackerUrl: string
}

/** The sign-in page, the chat page, and the two forms. The sockets are in chat.ts. */
export async function addPages(app: FastifyInstance, { sessions, attackerUrl }: PagesOptions): Promise<void> {
  const signInPage = await page('sign-in.html')
  const chatPage = await page('chat.html')
  for (const [path, type] of assets) {
    const text = await page(path.slice(1))
    app.get(path, (_request, reply) => reply.type(type).send(text))
  }

  app.get('/', (request, reply) => {
    // One name for one origin: the cookie, the CSP and the socket all belong to `localhost`.
    if (request.hostname !== 'localhost') return reply.redirect(`${originOf(request)}/`)
    const session = sessionOf(request)
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-store')
    if (session === null) return reply.send(signInPage)
    return reply.send(
      chatPage
        .replaceAll('{{name}}', () => encodeFor.html(session.userId))
        .replaceAll('{{attacker}}', () => encodeFor.html(attackerUrl)),
    )
  })

  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 1024 },
    (_, body, done) => done(null, new URLSearchParams(String(body))),
  )

  // A form on another site can post here with the visitor's browser; its Origin says so.
  async function fromHere(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (request.headers.origin !== originOf(request)) await reply.code(403).send({ error: 'Forbidden' })
  }

  app.post('/sign-in', { onRequest: fromHere }, (request, reply) => {
    const name = nameIn(request.body)
    if (name === null) return reply.code(400).type('text/html; charset=utf-8').send(signInPage)
    const earlier = sessionOf(request)
    if (earlier !== null) sessions.end(earlier.id)
    // A new id at each sign-in, so that an id planted before it is worth nothing (session fixation).
    reply.setCookie(cookieName, sessions.open(name).id, {
      signed: true,
      path: '/',
      secure: true,
      httpOnly: true,
      sameSite: 'strict',
    })
    return reply.redirect('/', 303)
  })

  app.post('/sign-out', { onRequest: fromHere }, async (request, reply) => {
    const session = sessionOf(request)
    if (session !== null) {
      // The store first: a socket that opens between the two finds nothing to open with.
      sessions.end(session.id)
      await app.secureWs.revoke({ sessionId: session.id })
    }
    reply.clearCookie(cookieName, { path: '/', secure: true, httpOnly: true, sameSite: 'strict' })
    return reply.redirect('/', 303)
  })

  function sessionOf(request: FastifyRequest): (Session & { readonly userId: string }) | null {
    const { valid, value } = request.unsignCookie(request.cookies[cookieName] ?? '')
    return valid && value !== null ? sessions.find(value) : null
  }
}

function originOf(request: FastifyRequest): string {
  return `https://localhost:${request.socket.localPort}`
}

/** One to thirty characters that are not all space, or nothing. Markup is welcome: it will be text. */
function nameIn(body: unknown): string | null {
  if (!(body instanceof URLSearchParams)) return null
  const name = (body.get('name') ?? '').trim()
  return name.length >= 1 && name.length <= 30 ? name : null
}

function page(file: string): Promise<string> {
  return readFile(new URL(`pages/${file}`, import.meta.url), 'utf8')
}
