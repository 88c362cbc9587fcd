import assert from 'node:assert/strict'
import { scrypt } from 'node:crypto'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { type BasicOptions, basic } from '../../src/authentication/basic.ts'
import type { Session } from '../../src/session/session.ts'
import { startAsking } from './asking.ts'

const coded = (text: string | Buffer) => Buffer.from(text).toString('base64')
const header = (credential: string) => [['authorization', `Basic ${credential}`]] as const

/** Answers with whatever user and password came through. */
const echoing: BasicOptions = { verify: (user, password) => ({ id: `${user}/${password}` }), refuseEvery: 0 }

test('RFC 7617 user and password, with colons and beyond ASCII in the password', async (t) => {
  const { ask } = await startAsking(t, basic(echoing))
  for (const [pair, id] of [
    ['ada:s3cret', 'ada/s3cret'],
    ['ada:a:b:', 'ada/a:b:'],
    ['ada:', 'ada/'],
    [':x', '/x'],
    ['\u00e9:\u{1f600}', '\u00e9/\u{1f600}'],
  ] as const) {
    assert.equal((await ask(header(coded(pair)))).session?.id, id)
  }
  assert.equal((await ask([['authorization', `bAsIc   ${coded('a:b')}`]])).session?.id, 'a/b')
})

test('a malformed credential never reaches `verify`', async (t) => {
  let asked = 0
  const { ask } = await startAsking(
    t,
    basic({
      verify: () => {
        asked++
        return { id: 'x' }
      },
      refuseEvery: 0,
    }),
  )
  const malformed = [
    '',
    'ada:s3cret',
    coded('ada'),
    `${coded('ada:s')}=`,
    coded('ada:s3cret').replace(/=+$/, ''),
    `${coded('ada:s3c')} `.replace(' ', '!'),
    coded('ada:s3cret').replace('=', '%3D'),
    coded('ada\0:x'),
    coded('ada:x\n'),
    coded('ada:x\u0085'),
    coded(Buffer.from([0x61, 0x3a, 0xff])),
    coded(`ada:${'x'.repeat(2_048)}`),
    `${coded('a:b')}, ${coded('a:b')}`,
  ]
  for (const credential of malformed) assert.equal((await ask(header(credential))).status, 401, credential)
  assert.equal((await ask([...header(coded('a:b')), ...header(coded('a:b'))])).status, 401)
  // Another scheme is somebody else's.
  assert.equal((await ask([['authorization', `Basics ${coded('a:b')}`]])).reason, 'no known credential')
  assert.equal(asked, 0)
})

test('what `verify` throws or returns wrongly is refused, without the password', async (t) => {
  const answers: unknown[] = [true, 'ada', {}, { id: '' }]
  let answer: unknown
  const { ask } = await startAsking(t, basic({ verify: () => answer as Session, refuseEvery: 0 }))
  for (answer of answers) assert.equal((await ask(header(coded('ada:x')))).status, 401)
  const verify = (_: string, password: string) => {
    throw new Error(`wrong: ${password}`)
  }
  const { body } = await (await startAsking(t, basic({ verify, refuseEvery: 0 }))).ask(header(coded('ada:canary')))
  assert.doesNotMatch(body, /canary/)
})

// Eve measures how long a "no" takes. An unknown user has no hash to compare with, so a plain `verify` answers at once.
const hash = promisify(scrypt)
const salt = Buffer.alloc(16)
async function verifying(user: string, password: string): Promise<Session | null> {
  if (user !== 'ada') return null
  const right = Buffer.alloc(64)
  return right.equals((await hash(password, salt, 64)) as Buffer) ? { id: 's1' } : null
}

/** Of so many times the shortest: what else the machine has to do makes none of them shorter. */
async function shortest(times: number, once: () => Promise<unknown>): Promise<number> {
  const taken: number[] = []
  for (let time = 0; time < times; time++) {
    const startedAt = performance.now()
    await once()
    taken.push(performance.now() - startedAt)
  }
  return Math.min(...taken)
}

test('SE-17 ASVS 6.3.8 an unknown user and a wrong password: same status, same body, no telling time', async (t) => {
  const step = 250
  const { ask } = await startAsking(t, basic({ verify: verifying }))
  const unknown = header(coded('nobody:x'))
  const wrong = header(coded('ada:x'))
  const [first, second] = [await ask(unknown), await ask(wrong)]
  assert.deepEqual([first.status, first.body], [second.status, second.body])
  const times = { unknown: await shortest(3, () => ask(unknown)), wrong: await shortest(3, () => ask(wrong)) }
  // Relative to the step, and generous: what matters is that the missing hash (tens of ms) cannot be seen.
  assert.ok(times.unknown >= step * 0.95, `${times.unknown}`)
  assert.ok(times.wrong >= step * 0.95, `${times.wrong}`)
})

test('SE-17 without the step the same `verify` does tell: the defence is what hides it', async (t) => {
  const { ask } = await startAsking(t, basic({ verify: verifying, refuseEvery: 0 }))
  const unknown = await shortest(5, () => ask(header(coded('nobody:x'))))
  const wrong = await shortest(5, () => ask(header(coded('ada:x'))))
  assert.ok(unknown < wrong, `${unknown} ${wrong}`)
})

test('a thrown error takes as long as a "no", a "yes" does not wait', async (t) => {
  const verify = (user: string) => {
    if (user === 'ada') return { id: 's1' }
    throw new Error('no such row')
  }
  const { ask } = await startAsking(t, basic({ verify, refuseEvery: 300 }))
  const thrown = await shortest(1, () => ask(header(coded('nobody:x'))))
  const right = await shortest(3, () => ask(header(coded('ada:x'))))
  assert.ok(thrown >= 285, `${thrown}`)
  assert.ok(right < thrown, `${right} ${thrown}`)
})

test('it counts as ambient, and wrong options fail', () => {
  assert.equal(basic(echoing).ambient, true)
  for (const change of [
    { verify: undefined },
    { refuseEvery: -1 },
    { refuseEvery: '250' },
    { refuseEvery: 5_001 },
    { users: {} },
    { revalidate: 1 },
  ]) {
    assert.throws(() => basic({ ...echoing, ...change } as never), { code: 'SWS_BAD_OPTION' })
  }
})
