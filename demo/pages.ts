import { readFile } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type cookieSession, encodeFor, type Session } from 'fastify-secure-ws'
import type { Sessions } from './sessions.ts'

const assets = [
  ['/chat.js', 'text/javascript; charset=utf-8'],
  ['/client.js', 'text/javascript; charset=utf-8'],
  ['/chat.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'image/svg+xml'],
] as const

export interface PagesOptions {
  readonly scheme: 'http' | 'https'
  readonly sessions: Sessions
  readonly signedIn: ReturnType<typeof cookieSession>
  readonly attackerUrl: string
}

/** The sign-in page, the chat page, and the two forms. The sockets are in chat.ts. */
export async function addPages(app: FastifyInstance, options: PagesOptions): Promise<void> {
  const { sessions, signedIn, attackerUrl, scheme } = options
  const signInPage = await page('sign-in.html')
  const chatPage = await page('chat.html')
  for (const [path, type] of assets) {
    const text = await (path === '/client.js' ? client() : page(path.slice(1)))
    app.get(path, (_request, reply) => reply.type(type).send(text))
  }

  app.get('/', async (request, reply) => {
    // One name for one origin: the cookie, the CSP and the socket all belong to `localhost`.
    if (request.hostname !== 'localhost') return reply.redirect(`${origin(request)}/`)
    const session = await sessionOf(request)
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-store')
    if (session === null) return reply.send(signInPage)
    return reply.send(
      chatPage
        .replaceAll('{{role}}', sessions.isModerator(session) ? 'moderator' : 'guest')
        .replaceAll('{{name}}', () => String(encodeFor.html(session.userId ?? '')))
        .replaceAll('{{attacker}}', () => String(encodeFor.html(attackerUrl))),
    )
  })

  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 1024 },
    (_, body, done) => done(null, new URLSearchParams(String(body))),
  )

  // A form on another site can post here with the visitor's browser; its Origin says so.
  async function fromHere(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (request.headers.origin !== origin(request)) await reply.code(403).send({ error: 'Forbidden' })
  }

  app.post('/sign-in', { onRequest: fromHere }, async (request, reply) => {
    const name = nameIn(request.body)
    if (name === null) return reply.code(400).type('text/html; charset=utf-8').send(signInPage)
    await signOut(request)
    // A new id at each sign-in, so that an id planted before it is worth nothing (session fixation).
    signedIn.setSessionCookie(reply, sessions.open(name, isModerator(request.body)).id)
    return reply.redirect('/', 303)
  })

  app.post('/sign-out', { onRequest: fromHere }, async (request, reply) => {
    await signOut(request)
    signedIn.clearSessionCookie(reply)
    return reply.redirect('/', 303)
  })

  app.post('/sign-out-everywhere', { onRequest: fromHere }, async (request, reply) => {
    const session = await sessionOf(request)
    if (session?.userId !== undefined) await Promise.all(sessions.idsOf(session.userId).map(end))
    signedIn.clearSessionCookie(reply)
    return reply.redirect('/', 303)
  })

  async function signOut(request: FastifyRequest): Promise<void> {
    const session = await sessionOf(request)
    if (session !== null) await end(session.id)
  }

  async function end(sessionId: string): Promise<void> {
    // The store first: a socket that opens between the two finds nothing to open with.
    sessions.end(sessionId)
    await app.secureWs.revoke({ sessionId })
  }

  function origin(request: FastifyRequest): string {
    return `${scheme}://localhost:${request.socket.localPort}`
  }

  /** The pages ask the authenticator that the sockets ask: there is one way to be signed in. */
  async function sessionOf(request: FastifyRequest): Promise<Session | null> {
    return app.secureWs.session(request)
  }
}

/** One to thirty characters that are not all space, or nothing. Markup is welcome: it will be text. */
function nameIn(body: unknown): string | null {
  if (!(body instanceof URLSearchParams)) return null
  const name = (body.get('name') ?? '').trim()
  return name.length >= 1 && name.length <= 30 ? name : null
}

function isModerator(body: unknown): boolean {
  return body instanceof URLSearchParams && body.get('moderator') === 'yes'
}

/** As it is built: a page needs no bundler for it. */
function client(): Promise<string> {
  return readFile(new URL(import.meta.resolve('fastify-secure-ws/client')), 'utf8')
}

function page(file: string): Promise<string> {
  return readFile(new URL(`pages/${file}`, import.meta.url), 'utf8')
}
