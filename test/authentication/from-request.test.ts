import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import cookiePlugin from '@fastify/cookie'
import jwtPlugin from '@fastify/jwt'
import secureSessionPlugin from '@fastify/secure-session'
import type { FastifyPluginCallback, FastifyRequest } from 'fastify'
import { fromRequest } from '../../src/authentication/from-request.ts'
import { type Answer, startAsking } from './asking.ts'

declare module '@fastify/secure-session' {
  interface SessionData {
    signedIn: { id: string; userId: string }
  }
}
declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: { sub: string; jti: string; exp: number }
  }
}

// Both session plugins give `request.session` a type, and one program has room for one of them: this one is loaded untyped.
const sessionPlugin: FastifyPluginCallback<{ secret: string; cookie: { secure: boolean } }> = createRequire(
  import.meta.url,
)('@fastify/session')

interface StoredSession {
  readonly sessionId: string
  signedIn?: { userId: string }
  visited?: boolean
  regenerate(): Promise<void>
  destroy(): Promise<void>
}
const storedSession = (request: FastifyRequest) => request.session as unknown as StoredSession

const cookieOf = (answer: Answer) => [['cookie', String(answer.headers['set-cookie']).split(';')[0] ?? '']] as const

test('recipe: @fastify/session', async (t) => {
  const signedIn = (request: FastifyRequest) => {
    const { sessionId, signedIn } = storedSession(request)
    return signedIn === undefined ? null : { id: sessionId, userId: signedIn.userId }
  }
  const { ask } = await startAsking(t, fromRequest(signedIn), {
    prepare: async (app) => {
      await app.register(cookiePlugin)
      await app.register(sessionPlugin, { secret: randomBytes(32).toString('hex'), cookie: { secure: false } })
      app.get('/open/login', async (request) => {
        await storedSession(request).regenerate()
        storedSession(request).signedIn = { userId: 'ada' }
        return 'in'
      })
      app.get('/open/visit', (request) => {
        storedSession(request).visited = true
        return 'seen'
      })
      app.get('/open/logout', async (request) => {
        await storedSession(request).destroy()
        return 'out'
      })
    },
  })
  const cookie = cookieOf(await ask([], '/open/login'))
  const { status, session } = await ask(cookie)
  assert.deepEqual([status, session?.userId], [200, 'ada'])
  assert.ok((session?.id.length ?? 0) >= 22)
  assert.equal((await ask()).status, 401)
  assert.equal((await ask([['cookie', `${cookie[0][1]}x`]])).status, 401)
  // A visitor has a session of that plugin too, and is still nobody.
  assert.equal((await ask(cookieOf(await ask([], '/open/visit')))).status, 401)
  await ask(cookie, '/open/logout')
  assert.equal((await ask(cookie)).status, 401)
})

test('recipe: @fastify/secure-session', async (t) => {
  const { ask } = await startAsking(
    t,
    fromRequest(({ session }) => session.get('signedIn')),
    {
      prepare: async (app) => {
        await app.register(secureSessionPlugin, { key: randomBytes(32), expiry: 3600, cookie: { path: '/' } })
        app.get('/open/login', (request) => {
          request.session.set('signedIn', { id: randomBytes(16).toString('hex'), userId: 'ada' })
          return 'in'
        })
      },
    },
  )
  const cookie = cookieOf(await ask([], '/open/login'))
  const { status, session } = await ask(cookie)
  assert.deepEqual([status, session?.userId], [200, 'ada'])
  assert.equal((await ask()).status, 401)
  const value = cookie[0][1]
  const middle = value.length >> 1
  const altered = value.slice(0, middle) + (value[middle] === 'A' ? 'B' : 'A') + value.slice(middle + 1)
  assert.equal((await ask([['cookie', altered]])).status, 401)
})

test('recipe: @fastify/jwt', async (t) => {
  const verified = async (request: FastifyRequest) => {
    if (request.headers.authorization === undefined) return null
    const { sub, jti, exp } = await request.jwtVerify<{ sub: string; jti: string; exp: number }>()
    return { id: jti, userId: sub, tokenId: jti, expiresAt: exp * 1000 }
  }
  const { ask, app } = await startAsking(t, fromRequest(verified, { ambient: false }), {
    prepare: (app) =>
      app.register(jwtPlugin, {
        secret: randomBytes(32).toString('hex'),
        verify: { algorithms: ['HS256'], requiredClaims: ['exp', 'sub', 'jti'] },
      }),
  })
  const claims = { sub: 'ada', jti: 't1' }
  const token = app.jwt.sign(claims, { expiresIn: '1m' })
  const shown = (value: string) => [['authorization', `Bearer ${value}`]] as const
  const { status, session } = await ask(shown(token))
  assert.deepEqual([status, session?.id, session?.userId], [200, 't1', 'ada'])
  assert.equal((await ask()).reason, 'no known credential')
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`
  for (const wrong of [
    token.slice(0, -3),
    none,
    app.jwt.sign(claims),
    app.jwt.sign({ jti: 't1' }, { expiresIn: '1m' }),
    'x',
  ]) {
    const { status: refused, body } = await ask(shown(wrong))
    assert.equal(refused, 401, wrong)
    assert.equal(body.includes(wrong.slice(0, 20)), false)
  }
})

// The mistake everybody makes first: handing over the other plugin's object.
test('what another plugin calls a session is not taken for one of ours', async (t) => {
  const { ask } = await startAsking(
    t,
    fromRequest((request) => request.session as never),
    {
      prepare: async (app) => {
        await app.register(secureSessionPlugin, { key: randomBytes(32), cookie: { path: '/' } })
      },
    },
  )
  const { status, reason } = await ask()
  assert.equal(status, 401)
  assert.match(reason ?? '', /fromRequest: what was returned is no session/)
})

test('it counts as ambient unless it says otherwise, and wrong options fail', () => {
  assert.equal(fromRequest(() => null).ambient, true)
  assert.equal(fromRequest(() => null, { ambient: false }).ambient, false)
  assert.equal(fromRequest(() => null, { revalidate: () => true }).revalidate?.({ id: 's1' }), true)
  assert.throws(() => fromRequest(undefined as never), { code: 'SWS_BAD_OPTION' })
  for (const options of [{ ambient: 'no' }, { revalidate: 1 }, { ambiant: false }, null]) {
    assert.throws(() => fromRequest(() => null, options as never), { code: 'SWS_BAD_OPTION' })
  }
})
