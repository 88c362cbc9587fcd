import { ClientError, type ClientState, connect } from 'fastify-secure-ws/client'
import type { Board, Chat } from './server.ts'

const client = connect<Chat>('/chat')

client.send({ type: 'say', text: '' })
client.send({ type: 'leave' })
// @ts-expect-error TS2820
client.send({ type: 'sayd', text: '' })
// @ts-expect-error TS2345
client.send({ type: 'say' })
// @ts-expect-error TS2322
client.send({ type: 'say', text: 7 })

const length: number = await client.request('say', { text: '' }, { timeout: 1_000 })
// @ts-expect-error TS2322
const words: string = await client.request('say', { text: '' })
// @ts-expect-error TS2345
await client.request('sayd', { text: '' })
// @ts-expect-error TS2322
await client.request('say', { text: 7 })

client.on('said', ({ text }) => text.trim())
client.on('left', ({ room }) => room.trim())
client.on('expiring', (message) => message.in.toFixed())
client.on('error', ({ code }) => code.trim())
// @ts-expect-error TS2345
client.on('sad', () => {})
// @ts-expect-error TS2339
client.on('said', ({ txt }) => txt)

for await (const message of client) {
  if (message.type === 'said') message.text.trim()
  // @ts-expect-error TS2339
  message.text
}

client.answer('confirm', ({ text }) => text !== '')
client.answer('confirm', async () => true)
// @ts-expect-error TS2345
client.answer('said', () => true)
// @ts-expect-error TS2322
client.answer('confirm', () => 'yes')
// @ts-expect-error TS2339
client.answer('confirm', ({ txt }) => txt)

const board = connect<Board>('/board', {
  credential: async () => (Math.random() > 0.5 ? null : { token: '' }),
  join: (direct) => direct.request('post', { body: '' }),
  signIn: () => true,
})
board.answer('pick', () => ({ at: 1 }))
// @ts-expect-error TS2322
board.answer('pick', () => ({ on: 1 }))
const at: number = (await board.request('post', { body: '' })).at
// @ts-expect-error TS2339
const wrong: number = (await board.request('post', { body: '' })).on

export function words_(state: ClientState): string {
  if (state.name === 'waiting') return `${state.reason} ${state.retryIn.toFixed()}`
  // @ts-expect-error TS2339
  if (state.name === 'open') return state.reason
  return state.name === 'closed' ? state.code.toFixed() : ''
}

try {
  await client.request('say', { text: '' })
} catch (error) {
  if (error instanceof ClientError && error.code === 'SWS_TOO_FAST') setTimeout(() => {}, error.retryAfter)
  // @ts-expect-error TS2367
  if (error instanceof ClientError && error.code === 'SWS_TO_FAST') throw error
}

// Nobody has declared anything: everything may be sent, and nothing is known of what comes.
const any = connect('wss://a.example/')
any.send({ type: 'whatever', with: 1 })
const unknown: unknown = await any.request('whatever', { with: 1 })
// @ts-expect-error TS2322
const known: string = await any.request('whatever', { with: 1 })

export { at, known, length, unknown, words, wrong }
