import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Authenticator, memoryTickets, type Session, ticket } from '../../src/index.ts'
import { Random } from '../harness/random.ts'
import { openSocket, RefusedHandshake, type SocketClient } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { oneNode } from './one-node.ts'
import { mutations, type Person, stormyStore } from './weather.ts'

/** Seeds: few here, more with `SEEDS=100 node --test test/session/random-session.test.ts`. */
const seeds = Number(process.env.SEEDS ?? 3)

interface Open {
  readonly person: Person
  readonly client: SocketClient
  readonly number: string
  /** The youngest token that the server has acknowledged on this socket. */
  acknowledged: number
  readonly isByTicket: boolean
}

/**
 * Classes S2, S4 and S9: people come (also by tickets), refresh, are put out by the application and lose rights, while the store
 * answers with fresh objects, late, by what was so before, or never, and changes its objects in place.
 *
 * @param failing whether questions stay unanswered, too; then everybody is asked again all the time
 */
async function storm(t: TestContext, seed: number, failing: boolean): Promise<void> {
  const random = new Random(seed)
  const lookup = 300
  const store = stormyStore(random, lookup, failing)
  const own: Authenticator = {
    name: 'rows',
    ambient: false,
    authenticate: ({ headers }) => store.signIn(String(headers['x-session'])),
    revalidate: (session) => store.again(session),
    refresh: (session, token) => store.refresh(session.id, Number(token)),
  }
  const node = await oneNode({
    find: () => null,
    authenticate: [ticket({ store: memoryTickets() }), own],
    limits: { lookup, handshake: 5 * lookup, connectionsPerSession: 100, connectionsPerUser: 100 },
    session: { revalidateEvery: failing ? 50 : 3_600_000 },
  })
  t.after(() => node.app.close())
  const { secureWs } = node.app
  const sessions = new Map<string, () => Session | null>()
  node.app.post('/ticket', (request) => secureWs.issueTicket(request, { route: '/' }))
  const declared = {
    authorize: (session: Session | null) => store.allows(String(session?.id)),
    receives: { say: { schema: { type: 'object', properties: {} } } },
  }
  node.app.get('/', { websocket: true, secureWs: declared }, (socket, { headers }) => {
    sessions.set(String(headers['x-number']), () => socket.session)
    socket.on('say', () => {})
  })
  const url = (await node.listen())('/')

  const open: Open[] = []
  const coming: Promise<void>[] = []
  const askAgain = ({ id }: Person) => secureWs.reauthorize({ userId: `user of ${id}` })
  const where = (what: string, { id }: Person) => `${what} of ${id}, seed ${seed}`

  async function come(person: Person, isByTicket: boolean, number: string): Promise<void> {
    const headers = { 'x-session': person.id, 'x-number': number }
    const acknowledged = person.newest
    person.coming++
    try {
      const shown: Record<string, string> = { ...headers }
      if (isByTicket) {
        const answer = await node.app.inject({ method: 'POST', url: '/ticket', headers })
        if (answer.statusCode !== 200) return
        shown['sec-websocket-protocol'] = answer.json().protocol
      }
      open.push({ person, client: await openSocket(url, { headers: shown }), number, acknowledged, isByTicket })
    } catch (error) {
      assert.ok(error instanceof RefusedHandshake)
      const good = {
        401: !person.ended && person.oldest === 1,
        403: person.allowed && person.unanswered === 0,
        503: person.unanswered === 0,
      }
      assert.equal(Reflect.get(good, error.status), false, where(`a handshake answered with ${error.status}`, person))
    } finally {
      person.coming--
    }
  }

  async function refresh(one: Open): Promise<void> {
    const { person, client } = one
    // Asked about the old token, and answered when the new one is there.
    if (random.chance(0.7)) askAgain(person)
    const token = ++person.newest
    client.send({ type: 'refresh', id: String(token), token: String(token) })
    const answer = () => client.heard.find(({ id }) => id === String(token))
    await Promise.race([until(() => answer() !== undefined, 'it was answered'), client.closed])
    // Too many in a minute are refused, and the old one stays.
    if (client.code !== undefined || answer()?.type !== 'reply') return
    one.acknowledged = token
    // The old token is over, for those of its sockets that have the new one.
    const isAlone = open.every((other) => other.person !== person || other === one)
    if (isAlone && person.coming === 0) person.oldest = Math.max(person.oldest, token)
  }

  function check(): void {
    for (const { person, client, number, acknowledged } of open) {
      const { code } = client
      if (code === 3000) assert.ok(person.ended, where('a good session was closed with 3000', person))
      if (code === 3003) assert.equal(person.allowed, false, where('a right that stands was taken', person))
      // Three in a row; or the one about a new token, which is asked on good days only.
      const silences = failing ? 3 : 1
      if (code === 1013) assert.ok(person.unanswered >= silences, where('1013 though it was answered', person))
      if (code !== undefined) continue
      const by = Number(Reflect.get(Object(sessions.get(number)?.()), 'by'))
      assert.ok(by >= acknowledged, where(`token ${by} after ${acknowledged}`, person))
    }
  }

  const people = Array.from({ length: 12 }, (_, index) => store.add(`${seed} ${index}`))
  let comings = 0
  for (const person of people) coming.push(come(person, random.chance(0.3), String(comings++)))
  for (let step = 0; step < 60; step++) {
    const dice = random.below(20)
    const person = random.pick(people)
    const theirs = open.filter((one) => one.person === person && one.client.code === undefined)
    if (dice < 5) coming.push(come(person, random.chance(0.3), String(comings++)))
    else if (dice < 11 && theirs.length === 1 && !person.ended && person.allowed) {
      // One socket, and none under way: what is over for the others is not what is looked for here.
      const [one] = theirs
      if (one !== undefined && !one.isByTicket && !failing) coming.push(refresh(one))
    } else if (dice < 13) {
      // Asked before it happens, too: that answer may come afterwards.
      askAgain(person)
      await sleep(random.below(10))
      if (dice < 12) person.ended = true
      else person.allowed = false
      askAgain(person)
    } else if (dice < 16) {
      for (const { number } of theirs) random.pick(mutations)(Object(sessions.get(number)?.()))
    }
    await sleep(random.below(15))
    check()
  }
  await Promise.all(coming)
  store.clear()
  const isOver = ({ person }: Open) => person.ended || !person.allowed
  await until(
    () => open.every((one) => !isOver(one) || one.client.code !== undefined),
    `everybody who is out is closed, seed ${seed}`,
  )
  check()
  // Nobody else is, though what hangs hangs still.
  const good = people.filter((person) => !person.ended && person.allowed)
  for (const person of good) await come(person, false, String(comings++))
  await sleep(lookup)
  check()
  for (const person of good)
    assert.ok(
      open.some((one) => one.person === person && one.client.code === undefined),
      where('nothing is open', person),
    )
  await Promise.all(coming)
  const codes = Object.groupBy(open, ({ client }) => String(client.code))
  t.diagnostic(
    Object.entries(codes)
      .map(([code, some]) => `${code}: ${some?.length}`)
      .join(', '),
  )
  await Promise.all(open.map(({ client }) => client.close()))
}

for (let seed = 1; seed <= seeds; seed++) {
  test(`S2, S4 at random: a store of fresh objects that hangs, rejects and is late; who is out goes, nobody else (${seed})`, (t) =>
    storm(t, seed, true))
  test(`S9 at random: what is asked, refreshed, ended and taken away while something is under way (${seed})`, (t) =>
    storm(t, seed, false))
}
