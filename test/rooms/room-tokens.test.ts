import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { anySession, type RoomTokens, roomTokens, type Session } from '../../src/index.ts'
import { openSocket, type SocketClient } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

const secret = new TextEncoder().encode('a secret of the room tokens, 32 bytes')
const [issuer, audience] = ['https://rights.example', 'rooms']
const options = { key: secret, algorithms: ['HS256'], issuer, audience, clockTolerance: 0 }
const minute = 60_000
const inSeconds = (ms: number) => Math.floor(ms / 1000)

function tokenOf(claims: JWTPayload, key: Uint8Array = secret, header: object = {}): Promise<string> {
  const whole = { iss: issuer, aud: audience, exp: inSeconds(Date.now() + minute), ...claims }
  return new SignJWT(whole).setProtectedHeader({ alg: 'HS256', ...header }).sign(key)
}

const schema = {
  type: 'object',
  required: ['room', 'token'],
  properties: { room: { type: 'string' }, token: { type: 'string', maxLength: 10_000 } },
}

/** `enter` is answered with whether the socket is in the room. */
async function start(t: TestContext, tokens: RoomTokens, limits = {}) {
  const find = (name: string): Session => (name === 'nobody' ? { id: name } : { id: `s ${name}`, userId: name })
  const { app, listen, events } = await oneNode({ find, revalidateBy: () => true, limits })
  t.after(() => app.close())
  app.get(
    '/rooms',
    { websocket: true, secureWs: { receives: { enter: { schema, authorize: anySession } } } },
    (socket) => {
      socket.on('enter', (message) => {
        const { room, token } = message as { room: string; token: string }
        return socket.join(room, tokens.grant(room, token))
      })
    },
  )
  const url = (await listen())('/rooms')
  let id = 0
  return {
    app,
    events,
    open: (name: string) => openSocket(url, as(name)),
    async enters(client: SocketClient, room: string, token: string): Promise<unknown> {
      const asked = id++
      client.send({ type: 'enter', id: asked, room, token })
      await until(() => client.heard.some((message) => message.id === asked), 'it was answered')
      return client.heard.find((message) => message.id === asked)?.value
    },
  }
}

test('a token of this user and this room lets in, and no other one does', async (t) => {
  const node = await start(t, roomTokens(options))
  const [ann, nobody] = [await node.open('ann'), await node.open('nobody')]
  const good = await tokenOf({ sub: 'ann', room: 'caf\u00e9' })
  const past = inSeconds(Date.now() - 1_000)
  const wrong: Record<string, string> = {
    'another user': await tokenOf({ sub: 'bob', room: 'a' }),
    'another room': await tokenOf({ sub: 'ann', room: 'b' }),
    'no room': await tokenOf({ sub: 'ann' }),
    'a list of rooms': await tokenOf({ sub: 'ann', room: ['a'] }),
    'a room that is none': await tokenOf({ sub: 'ann', room: '' }),
    'no subject': await tokenOf({ room: 'a' }),
    'no end': await tokenOf({ sub: 'ann', room: 'a', exp: undefined } as unknown as JWTPayload),
    'an end that has come': await tokenOf({ sub: 'ann', room: 'a', exp: past }),
    'an end of long ago': await tokenOf({ sub: 'ann', room: 'a', exp: 1 }),
    'not good yet': await tokenOf({ sub: 'ann', room: 'a', nbf: inSeconds(Date.now() + minute) }),
    'another audience': await tokenOf({ sub: 'ann', room: 'a', aud: 'chat' }),
    'another issuer': await tokenOf({ sub: 'ann', room: 'a', iss: 'https://elsewhere.example' }),
    'another key': await tokenOf({ sub: 'ann', room: 'a' }, new TextEncoder().encode('x'.repeat(40))),
    'no signature': new UnsecuredJWT({ iss: issuer, aud: audience, sub: 'ann', room: 'a' })
      .setExpirationTime('1m')
      .encode(),
    'an altered end': good.replace(
      /\.[\w-]+\./,
      `.${Buffer.from('{"exp":9999999999,"sub":"ann","room":"a"}').toString('base64url')}.`,
    ),
    'too long': `${good}${'A'.repeat(8_192)}`,
    'no token': 'x.y.z',
    nothing: '',
  }
  for (const [what, token] of Object.entries(wrong)) assert.equal(await node.enters(ann, 'a', token), false, what)
  assert.equal(await node.enters(nobody, 'a', await tokenOf({ sub: 'nobody', room: 'a' })), false, 'no user')
  // The near misses: one name in two spellings of Unicode, and an end beyond a hundred years.
  assert.equal(await node.enters(ann, 'cafe\u0301', good), true)
  assert.equal(await node.enters(ann, 'a', await tokenOf({ sub: 'ann', room: 'a', exp: 9_999_999_999 })), true)
  assert.deepEqual(
    (await node.app.secureWs.members('a')).map(({ userId }) => userId),
    ['ann'],
  )
  await Promise.all([ann.close(), nobody.close()])
})

test('what is no token at all is a no, and an error only for a room that is none', async () => {
  const tokens = roomTokens(options)
  for (const token of [undefined, null, 7, {}, ['x']]) {
    assert.equal(await tokens.grant('a', token).authorize({ id: 's', userId: 'ann' }), false)
  }
  assert.throws(() => tokens.grant('', 'x'), { code: 'SWS_BAD_ROOM' })
})

test('the membership ends with the token, a later one prolongs it, and a bad one does not', async (t) => {
  const begun = Math.ceil(Date.now() / 1000) * 1000
  t.mock.timers.enable({ apis: ['Date'], now: begun })
  const node = await start(t, roomTokens(options), { partialMessage: 400 })
  const ann = await node.open('ann')
  const until1 = { exp: inSeconds(begun + minute), sub: 'ann' }
  assert.equal(await node.enters(ann, 'a', await tokenOf({ ...until1, room: 'a' })), true)
  assert.equal(await node.enters(ann, 'b', await tokenOf({ ...until1, room: 'b' })), true)
  assert.equal(
    await node.enters(ann, 'b', await tokenOf({ ...until1, exp: inSeconds(begun + 3 * minute), room: 'b' })),
    true,
  )
  assert.equal(await node.enters(ann, 'a', 'x.y.z'), false)
  assert.equal((await node.app.secureWs.members('a')).length, 1, 'it stays for as long as its token says')
  t.mock.timers.setTime(begun + minute)
  await until(() => ann.heard.some(({ type, room }) => type === 'left' && room === 'a'), 'it was taken out of a')
  assert.deepEqual(
    [(await node.app.secureWs.members('a')).length, (await node.app.secureWs.members('b')).length],
    [0, 1],
  )
  assert.equal(ann.code, undefined)
  t.mock.timers.setTime(begun + 3 * minute)
  await until(() => ann.heard.some(({ type, room }) => type === 'left' && room === 'b'), 'it was taken out of b')
  await ann.close()
})

test('while the key set is away nobody comes in, and who is in stays until the end of the token', async (t) => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] }
  let away = false
  const provider = createServer((_request, response) => {
    response.statusCode = away ? 500 : 200
    response.end(away ? '' : JSON.stringify(keys))
  })
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  t.after(() => provider.close())
  t.mock.timers.enable({ apis: ['Date'], now: Math.ceil(Date.now() / 1000) * 1000 })
  const { port } = provider.address() as AddressInfo
  const node = await start(
    t,
    roomTokens({ jwks: `http://127.0.0.1:${port}/`, algorithms: ['ES256'], issuer, audience }),
  )
  const signed = (room: string, user: string) =>
    new SignJWT({ iss: issuer, aud: audience, sub: user, room, exp: inSeconds(Date.now() + 60 * minute) })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(privateKey)
  const [ann, bob] = [await node.open('ann'), await node.open('bob')]
  assert.equal(await node.enters(ann, 'a', await signed('a', 'ann')), true)
  away = true
  // Longer than a key set is kept.
  t.mock.timers.setTime(Date.now() + 11 * minute)
  assert.equal(await node.enters(bob, 'a', await signed('a', 'bob')), false)
  node.app.secureWs.reauthorize({ userId: 'ann' })
  // Answered behind the question: urgent ones are asked at once, in turn.
  assert.equal(await node.enters(ann, 'b', await signed('b', 'ann')), false)
  assert.deepEqual(
    (await node.app.secureWs.members('a')).map(({ userId }) => userId),
    ['ann'],
  )
  await Promise.all([ann.close(), bob.close()])
})

test('wrong options fail where they are written', () => {
  const wrong: [object, RegExp][] = [
    [{ key: undefined }, /roomTokens\.key`/],
    [{ algorithms: ['none'] }, /roomTokens\.algorithms\[0\]`/],
    [{ audience: undefined }, /roomTokens\.audience`/],
    [{ issuer: [] }, /roomTokens\.issuer`/],
    [{ audiance: 'x' }, /did you mean `audience`/],
    [{ from: ['protocol'] }, /roomTokens\.from`/],
  ]
  for (const [change, expected] of wrong) assert.throws(() => roomTokens({ ...options, ...change }), expected)
})
