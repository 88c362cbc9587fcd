import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { startExample } from './example.ts'

const socketOf = (url: string, path: string) => url.replace('http', 'ws') + path

test('rooms.ts: members talk, strangers to a room do not get in, and signing out closes the socket', async (t) => {
  const { url } = await startExample(t, 'rooms.ts')
  const signIn = async (name: string) => {
    const answer = await fetch(`${url}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    })
    const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    return { origin: url, cookie }
  }
  const [ofAda, ofGrace] = [await signIn('Ada'), await signIn('Grace')]
  const ada = await openSocket(socketOf(url, '/rooms/7'), { headers: ofAda })
  const grace = await openSocket(socketOf(url, '/rooms/7'), { headers: ofGrace })
  assert.deepEqual(await grace.hear('present'), { type: 'present', users: ['Ada', 'Grace'] })
  ada.send({ type: 'say', text: '<b>' })
  assert.deepEqual(await grace.hear('said'), { type: 'said', by: 'Ada', text: '&lt;b&gt;' })
  ada.send({ type: 'say', text: 'x', admin: true })
  assert.equal((await ada.hear('error')).code, 'SWS_INVALID_MESSAGE')
  assert.equal(await statusOf(socketOf(url, '/rooms/8'), { headers: ofAda }), 403)

  assert.equal((await fetch(`${url}/sign-out`, { method: 'POST' })).status, 401)
  assert.equal((await fetch(`${url}/sign-out`, { method: 'POST', headers: ofAda })).status, 200)
  assert.equal(await ada.closed, 3000)
  assert.equal(grace.code, undefined)
  await grace.close()
})

test('messages.ts: declared messages in both directions', async (t) => {
  const { url } = await startExample(t, 'messages.ts')
  const client = await openSocket(socketOf(url, '/sums'), { headers: { origin: url } })
  client.send({ type: 'add', left: 1, right: 2 })
  assert.deepEqual(await client.hear('sum'), { type: 'sum', value: 3 })
  client.send({ type: 'add', left: '1', right: 2, id: 7 })
  assert.deepEqual(await client.hear('error'), { type: 'error', code: 'SWS_INVALID_MESSAGE', id: 7 })
  await client.close()
})

test('replies.ts: a reply holds what is declared', async (t) => {
  const { url } = await startExample(t, 'replies.ts')
  const client = await openSocket(socketOf(url, '/users'), { headers: { origin: url } })
  client.send({ type: 'find', number: 7, id: 1 })
  client.send({ type: 'find', number: 8, id: 2 })
  assert.deepEqual(await client.hear('reply'), { type: 'reply', id: 1, value: { id: 7, name: 'Ada' } })
  await client.close()
})

test('requests.ts: the server asks, in the middle of a request of the client', async (t) => {
  const { url } = await startExample(t, 'requests.ts')
  const client = await openSocket(socketOf(url, '/files'), { headers: { origin: url } })
  client.send({ type: 'remove', name: 'a.txt', id: 7 })
  const message = { type: 'confirm', name: 'a.txt' }
  assert.deepEqual(await client.hear('request'), { type: 'request', id: 1, message })
  client.send({ type: 'reply', id: 1, value: true })
  assert.deepEqual(await client.hear('reply'), { type: 'reply', id: 7, value: 'removed' })
  await client.close()
})

test('zod.ts: a schema of another library', async (t) => {
  const { url } = await startExample(t, 'zod.ts')
  const client = await openSocket(socketOf(url, '/orders'), { headers: { origin: url } })
  client.send({ type: 'order', dish: 'soup', count: 2, id: 1 })
  assert.deepEqual(await client.hear('reply'), { type: 'reply', id: 1, value: { total: 8 } })
  client.send({ type: 'order', dish: 'soup', count: 0, id: 2 })
  assert.deepEqual(await client.hear('error'), { type: 'error', code: 'SWS_INVALID_MESSAGE', id: 2 })
  await client.close()
})

test('messages-of.ts: a route declared apart', async (t) => {
  const { url } = await startExample(t, 'messages-of.ts')
  const client = await openSocket(socketOf(url, '/sums'), { headers: { origin: url } })
  client.send({ type: 'add', left: 1, right: 2, id: 1 })
  assert.deepEqual(await client.hear('reply'), { type: 'reply', id: 1, value: 3 })
  await client.close()
})

test('rich-text.ts: markup is cleaned, a file is what its first bytes say', async (t) => {
  const { url } = await startExample(t, 'rich-text.ts')
  const client = await openSocket(socketOf(url, '/posts'), { headers: { origin: url } })
  client.send({ type: 'post', body: '<b>bold</b><img src=x onerror=alert(1)>' })
  assert.deepEqual(await client.hear('posted'), { type: 'posted', body: '<b>bold</b>' })
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=',
    'base64',
  )
  client.socket.send(png)
  await client.hear('posted')
  client.socket.send('GIF89a', { binary: true })
  assert.equal(await client.closed, 1003)
  assert.equal(client.heard.at(1)?.body, `<p>${png.length} bytes of <code>image/png</code></p>`)
})

test('behind-a-proxy.ts: what the proxy says counts, and SIGTERM ends it with 1012', async (t) => {
  const example = await startExample(t, 'behind-a-proxy.ts')
  const url = `ws://127.0.0.1:${example.port}/clock`
  const headers = { host: 'app.example', origin: 'https://app.example' }
  const proxied = { ...headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' }
  assert.equal(await statusOf(url, { headers }), 426)
  assert.equal(await statusOf(url, { headers: { ...proxied, origin: 'https://evil.example' } }), 403)
  const client = await openSocket(url, { headers: proxied })
  const ready = await fetch(`${example.url}/ready`)
  assert.deepEqual([ready.status, await ready.json()], [200, { ready: true }])
  assert.equal(await example.stop('SIGTERM'), 0)
  assert.equal(await client.closed, 1012)
})

test('enforce.ts: a page of another origin, and nobody in particular, is let in before the end, and refused after it', async (t) => {
  const environment = (at: string) => ({ COOKIE_SECRET: 'a secret of thirty-two bytes here', ENFORCED_FROM: at })
  const before = await startExample(t, 'enforce.ts', environment(new Date(Date.now() + 86_400_000).toISOString()))
  const evil = { headers: { origin: 'https://evil.example' } }
  assert.equal(await statusOf(socketOf(before.url, '/clock'), evil), 101)
  const after = await startExample(t, 'enforce.ts', environment('2026-01-01'))
  assert.equal(await statusOf(socketOf(after.url, '/clock'), evil), 421)
})

test('logging.ts: what stands in the query and in the headers of a handshake is in no line', async (t) => {
  const example = await startExample(t, 'logging.ts')
  const said = () => example.said.join('\n')
  const headers = { origin: example.url, cookie: 'id=COOKIECANARY', authorization: 'Bearer BEARERCANARY' }
  const client = await openSocket(`${socketOf(example.url, '/clock')}?token=QUERYCANARY`, { headers })
  await client.hear('now')
  await client.close()
  for (const path of ['/nowhere', '/%c0', '/clock']) {
    await fetch(`${example.url}${path}?token=QUERYCANARY`, { headers: { cookie: headers.cookie } })
  }
  await until(() => /"statusCode":404[\s\S]*"statusCode":426/.test(said()), 'the answers were logged')
  assert.match(said(), /Route GET:\/nowhere\?\[redacted\] not found/)
  assert.match(said(), /a clock/)
  assert.match(said(), /"url":"\/clock\?\[redacted\]"/)
  assert.doesNotMatch(said(), /CANARY/)
})

test('guarded.ts: another server behind the guard, until its user signs out', async (t) => {
  const { url } = await startExample(t, 'guarded.ts')
  const signIn = async (name: string) => {
    const answer = await fetch(`${url}/sign-in`, { method: 'POST', body: name })
    return { origin: url, cookie: (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '' }
  }
  const clock = socketOf(url, '/clock')
  const ada = await signIn('ada')
  assert.equal(await statusOf(clock, { headers: { ...ada, origin: 'https://evil.example' } }), 403)
  assert.equal(await statusOf(clock, { headers: { origin: url } }), 401)
  assert.equal(await statusOf(clock, { headers: await signIn('mallory') }), 403)
  const client = await openSocket(clock, { headers: ada })
  await client.hear('now')
  assert.equal((await fetch(`${url}/sign-out`, { method: 'POST', headers: ada })).status, 200)
  assert.equal(await client.closed, 1006)
})
