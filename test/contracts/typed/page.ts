import { ClientError, connect } from 'fastify-secure-ws/client'
import type { Poll } from './server.ts'

// Run by Node here, which has no cookies: a page needs neither of these lines, and connects to '/poll'.
const origin = process.argv[2] ?? ''
const signedIn = await fetch(`${origin}/sign-in`, { method: 'POST' })
const headers = { origin, cookie: String(signedIn.headers.get('set-cookie')).split(';')[0] ?? '' }

const client = connect<Poll>(`${origin}/poll`, { credential: () => ({ headers }) })
client.on('asked', ({ title, choices }) => console.log(title, choices.join('|')))
client.answer('again', ({ choices }) => ({ choice: choices.length - 1 }))
console.log(await client.request('vote', { choice: 9 }))
try {
  await client.request('vote', JSON.parse('{"choice":"soup"}'))
} catch (error) {
  console.log(error instanceof ClientError && error.code)
}
await client.close()

export function mistakes(): void {
  // misspelled: a type that is not declared
  // @ts-expect-error
  client.send({ type: 'vot', choice: 1 })
  // @ts-expect-error
  client.request('vot', { choice: 1 })
  // @ts-expect-error
  client.on('askd', () => {})
  // @ts-expect-error
  client.answer('asked', () => ({ choice: 1 }))
  // missing: a member
  // @ts-expect-error
  client.send({ type: 'vote' })
  // @ts-expect-error
  client.request('vote', {})
  // @ts-expect-error
  client.answer('again', () => ({}))
  // wrong: a member of another type
  // @ts-expect-error
  client.request('vote', { choice: 'soup' })
  // @ts-expect-error
  client.answer('again', () => ({ choice: 'soup' }))
  // wrong: a reply is what the server declares
  // @ts-expect-error
  client.request('vote', { choice: 1 }).then(({ counted }) => counted.trim())
  // @ts-expect-error
  client.request('vote', { choice: 1 }).then(({ count }) => count)
  // @ts-expect-error
  client.on('asked', ({ titel }) => titel)
}
