import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import type { InboundLimits, InboundOptions, InboundSocket } from '../../src/inbound/inbound.ts'
import {
  admitFrame,
  compileInbound,
  countControlFrame,
  createInboundState,
  noteRefusal,
  receive,
  withId,
} from '../../src/inbound/inbound.ts'
import { createReplayGuard } from '../../src/inbound/replay.ts'
import type { InboundVerdict } from '../../src/inbound/verdict.ts'

const now = 1_800_000_000_000
const limits: InboundLimits = {
  messages: { perSecond: 20, burst: 100 },
  bytes: { perSecond: 262_144, burst: 1_048_576 },
  messageDepth: 32,
  refusals: { perMinute: 20 },
  lookup: 1_000,
}
const say = { schema: Type.Object({ text: Type.String({ maxLength: 500 }) }) }

function open(options: Partial<InboundOptions> = {}, session: InboundSocket['session'] = { id: 's1' }): InboundSocket {
  const policy = compileInbound({
    receives: { say },
    binary: undefined,
    limits,
    path: 'secureWs',
    sanitizeHtml: async (dirty) => dirty.replaceAll('<', ''),
    ...options,
  })
  return {
    policy,
    state: createInboundState(policy, now),
    session,
    owner: session?.id,
    request: {},
    clock: { now: () => now },
  }
}

function text(socket: InboundSocket, message: unknown, at = now): InboundVerdict | Promise<InboundVerdict> {
  const bytes = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))
  return admitFrame(bytes.length, false, socket, at) ?? receive(bytes, false, socket, at)
}

function code(verdict: InboundVerdict): string {
  return verdict.kind === 'refuse' ? verdict.code : verdict.kind
}

describe('receive', () => {
  it('delivers the message as it was parsed, without its envelope, synchronously', () => {
    const verdict = text(open(), { type: 'say', id: 7, text: 'hi' })
    assert.deepEqual(verdict, { kind: 'deliver', type: 'say', id: 7, message: { text: 'hi' } })
    assert.deepEqual(text(open(), { text: 'hi', type: 'say' }), {
      kind: 'deliver',
      type: 'say',
      message: { text: 'hi' },
    })
  })

  it('gives a listener no member that a polluted Object.prototype has', (t) => {
    t.after(() => Reflect.deleteProperty(Object.prototype, 'isAdmin'))
    const socket = open()
    const polluted = { value: true, enumerable: true, configurable: true, writable: true }
    Object.defineProperty(Object.prototype, 'isAdmin', polluted)
    const verdict = text(socket, { type: 'say', text: 'hi' })
    assert.deepEqual(Object.keys(Object(Reflect.get(verdict, 'message'))), ['text'])
  })

  it('MS-07 knows only declared types, whatever objects inherit', async () => {
    for (const type of [
      'toString',
      'hasOwnProperty',
      '__proto__',
      'constructor',
      'valueOf',
      '',
      'Say',
      'say ',
      'close',
      'message',
    ]) {
      const verdict = await text(open(), { type, id: 'x', text: 'hi' })
      assert.ok(verdict.kind === 'refuse')
      assert.equal(verdict.code, 'SWS_UNKNOWN_TYPE', type)
      assert.equal(verdict.messageType, type)
      assert.equal(verdict.id, 'x')
      assert.ok(type === '' || !verdict.reason.includes(type))
    }
  })

  it('CS-13 refuses, per step, with its own code, and gives back the id', async () => {
    const receives = {
      say,
      pay: { ...say, replay: { window: 1000 } },
      erase: { ...say, freshAuth: 1000 },
      post: { ...say, authorize: () => false },
      fail: { ...say, authorize: () => Promise.reject(new Error('down')) },
    }
    const cases: [unknown, string][] = [
      ['{', 'SWS_BAD_MESSAGE'],
      [{ type: 'shout', id: 1 }, 'SWS_UNKNOWN_TYPE'],
      [{ type: 'say', id: 1, text: 5 }, 'SWS_INVALID_MESSAGE'],
      [{ type: 'pay', id: 1, text: 'x', nonce: '12345678', at: 1 }, 'SWS_REPLAYED'],
      [{ type: 'pay', id: 1, text: 'x' }, 'SWS_INVALID_MESSAGE'],
      [{ type: 'erase', id: 1, text: 'x' }, 'SWS_STEP_UP_REQUIRED'],
      [{ type: 'post', id: 1, text: 'x' }, 'SWS_FORBIDDEN'],
      [{ type: 'fail', id: 1, text: 'x' }, 'SWS_INTERNAL'],
    ]
    const socket = open({ receives })
    for (const [message, expected] of cases) {
      const verdict = await text(socket, message)
      assert.ok(verdict.kind === 'refuse')
      assert.equal(verdict.code, expected)
      assert.equal(verdict.id, typeof message === 'string' ? undefined : 1)
      assert.equal(verdict.close, undefined)
    }
  })

  it('asks `authorize` last, about the sanitized object that is then delivered', async () => {
    const order: string[] = []
    let seen: object | undefined
    const socket = open({
      receives: {
        post: {
          schema: Type.Object({ body: Type.String({ contentMediaType: 'text/html', sanitize: ['trim'] }) }),
          authorize: async (_session, message) => {
            order.push('authorize')
            seen = message
            return true
          },
        },
      },
      sanitizeHtml: async (dirty) => {
        order.push('sanitize')
        return dirty.replaceAll('<', '')
      },
    })
    const verdict = await text(socket, { type: 'post', body: ' <b ' })
    assert.ok(verdict.kind === 'deliver')
    assert.deepEqual(verdict.message, { body: 'b' })
    assert.equal(seen, verdict.message)
    assert.deepEqual(order, ['sanitize', 'authorize'])
  })

  it('spends no sanitizer on a message that is refused anyway', async () => {
    const schema = Type.Object({ body: Type.String({ contentMediaType: 'text/html', maxLength: 3 }) })
    const receives = { old: { schema, replay: { window: 10 } }, stale: { schema, freshAuth: 10 }, long: { schema } }
    const socket = open({ receives, sanitizeHtml: assert.fail })
    assert.equal(code(await text(socket, { type: 'old', body: 'x', nonce: '12345678', at: 0 })), 'SWS_REPLAYED')
    assert.equal(code(await text(socket, { type: 'stale', body: 'x' })), 'SWS_STEP_UP_REQUIRED')
    assert.equal(code(await text(socket, { type: 'long', body: 'xxxx' })), 'SWS_INVALID_MESSAGE')
  })

  it('MS-13 refuses one nonce on two sockets and two routes of a session, not of two sessions', async () => {
    const replayGuard = createReplayGuard()
    const receives = { pay: { ...say, replay: { window: 1000 } } }
    const message = { type: 'pay', text: 'x', nonce: '12345678', at: now }
    assert.equal(code(await text(open({ receives, replayGuard }), message)), 'deliver')
    assert.equal(code(await text(open({ receives, replayGuard }), message)), 'SWS_REPLAYED')
    assert.equal(code(await text(open({ receives, replayGuard }, { id: 's2' }), message)), 'deliver')
    const anonymous = open({ receives, replayGuard }, null)
    assert.equal(code(await text(anonymous, message)), 'deliver')
    assert.equal(code(await text(anonymous, message)), 'SWS_REPLAYED')
  })

  it('takes `nonce` and `at` off where replay is declared, and leaves them alone elsewhere', async () => {
    const receives = { pay: { ...say, replay: { window: 1000 } }, say }
    const verdict = await text(open({ receives }), { type: 'pay', text: 'x', nonce: '12345678', at: now })
    assert.deepEqual(verdict, { kind: 'deliver', type: 'pay', message: { text: 'x' } })
    assert.equal(
      code(await text(open({ receives }), { type: 'say', text: 'x', nonce: '12345678' })),
      'SWS_INVALID_MESSAGE',
    )
  })

  it('MS-11 closes with 1003 for binary on a text route and text on a binary route', async () => {
    const json = Buffer.from('{"type":"say","text":"hi"}')
    const binary = await receive(json, true, open(), now)
    assert.ok(binary.kind === 'refuse' && binary.code === 'SWS_BINARY_REFUSED' && binary.close === 1003)
    const routes = { receives: undefined, binary: ['image/png'] }
    const typed = await receive(json, false, open(routes), now)
    assert.ok(typed.kind === 'refuse' && typed.code === 'SWS_BAD_MESSAGE' && typed.close === 1003)
    const both = open({ binary: ['image/png'] })
    assert.equal(code(await receive(json, false, both, now)), 'deliver')
    assert.equal(
      code(await receive(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), true, both, now)),
      'deliver-binary',
    )
    assert.equal(code(await receive(json, true, both, now)), 'SWS_BINARY_REFUSED')
  })

  it('FR-07 closes with 1007 for text that is not UTF-8', async () => {
    const verdict = await receive(Buffer.from([0x7b, 0xff, 0x7d]), false, open(), now)
    assert.ok(verdict.kind === 'refuse' && verdict.close === 1007)
  })
})

describe('limits', () => {
  it('RS-08 CS-20 answers message 101 of one tick with an error, and closes with 4429 when it goes on', async () => {
    const socket = open()
    const verdicts = await Promise.all(Array.from({ length: 1000 }, () => text(socket, { type: 'say', text: 'hi' })))
    assert.equal(verdicts.filter(({ kind }) => kind === 'deliver').length, 100)
    const refused = verdicts.slice(100)
    assert.ok(refused.every((verdict) => code(verdict) === 'SWS_TOO_FAST'))
    const firstClose = refused.findIndex((verdict) => verdict.kind === 'refuse' && verdict.close !== undefined)
    assert.equal(firstClose, 20)
    const closing = refused[20]
    assert.ok(closing?.kind === 'refuse' && closing.close === 4429)
    assert.equal(code(await text(socket, { type: 'say', text: 'hi' }, now + 1000)), 'deliver')
  })

  it('RS-13 limits bytes as well as messages', async () => {
    const socket = open({ limits: { ...limits, bytes: { perSecond: 1000, burst: 2000 } } })
    const message = { type: 'say', text: 'x'.repeat(480) }
    const codes = []
    for (let each = 0; each < 4; each++) codes.push(code(await text(socket, message)))
    assert.deepEqual(codes, ['deliver', 'deliver', 'deliver', 'SWS_TOO_FAST'])
    assert.equal(code(await text(socket, message, now + 500)), 'deliver')
  })

  it('keeps a pace per type, which invalid messages use up too', async () => {
    const receives = { say: { ...say, rate: { perSecond: 1, burst: 2 } }, other: say }
    const socket = open({ receives })
    assert.equal(code(await text(socket, { type: 'say', text: 5 })), 'SWS_INVALID_MESSAGE')
    assert.equal(code(await text(socket, { type: 'say', text: '' })), 'deliver')
    const third = await text(socket, { type: 'say', id: 3, text: '' })
    assert.ok(third.kind === 'refuse' && third.code === 'SWS_TOO_FAST' && third.id === 3)
    assert.equal(code(await text(socket, { type: 'other', text: '' })), 'deliver')
    assert.equal(code(await text(socket, { type: 'say', text: '' }, now + 1000)), 'deliver')
  })

  it('MS-01 closes with 1008 at the 21st refused message of a minute', async () => {
    const socket = open()
    for (let each = 1; each <= 20; each++) {
      const verdict = await text(socket, '{')
      assert.ok(verdict.kind === 'refuse' && verdict.close === undefined, `refusal ${each}`)
    }
    const last = await text(socket, '{')
    assert.ok(last.kind === 'refuse' && last.close === 1008)
  })

  it('forgives a refusal every three seconds, for ever', async () => {
    const socket = open()
    for (let each = 0; each < 100; each++) {
      const verdict = await text(socket, '{', now + each * 3000)
      assert.ok(verdict.kind === 'refuse' && verdict.close === undefined)
    }
  })

  it('does not blame the client for our failures', async () => {
    const fail = { ...say, authorize: () => Promise.reject(new Error('down')) }
    const socket = open({ receives: { fail } })
    for (let each = 0; each < 50; each++) {
      const verdict = await text(socket, { type: 'fail', text: '' })
      assert.ok(verdict.kind === 'refuse' && verdict.code === 'SWS_INTERNAL' && verdict.close === undefined)
      assert.ok(verdict.cause instanceof Error)
    }
  })

  it('counts refusals decided elsewhere against the same budget', async () => {
    const socket = open()
    for (let each = 0; each < 19; each++) assert.equal(noteRefusal(socket.state, socket.policy, now), false)
    assert.equal(code(await text(socket, '{')), 'SWS_BAD_MESSAGE')
    assert.equal(noteRefusal(socket.state, socket.policy, now), true)
  })

  it('RS-01 RS-02 counts pings and pongs against the messages', () => {
    const socket = open()
    const verdicts = Array.from({ length: 200 }, () => countControlFrame(socket, now))
    assert.ok(verdicts.slice(0, 100).every((verdict) => verdict === undefined))
    assert.ok(
      verdicts.slice(100, 120).every((verdict) => verdict?.code === 'SWS_TOO_FAST' && verdict.close === undefined),
    )
    assert.equal(verdicts[120]?.close, 4429)
    assert.equal(countControlFrame(socket, now + 60_000), undefined)
  })

  it('reads of a frame that is too fast its id, and nothing where the socket closes, is raw, or says no id', () => {
    const socket = open({ limits: { ...limits, messages: { perSecond: 1, burst: 1 } } })
    const frame = (text: string) => Buffer.from(text)
    const refused = () => admitFrame(10, false, socket, now)
    assert.equal(refused(), undefined)
    const idOf = (given: Buffer, isBinary = false) => {
      const refusal = refused()
      assert.ok(refusal)
      return withId(refusal, given, isBinary, socket.policy).id
    }
    assert.equal(idOf(frame('{"type":"say","id":7}')), 7)
    assert.equal(idOf(frame('{"type":"nobody knows","id":"a-1"}')), 'a-1')
    // What would be refused when it is read in time has no id here either.
    for (const text of ['{"type":"say"}', '{"type":"say","id":"<b>"}', '{"type":"say","id":1,"id":2}', '{', '[7]']) {
      assert.equal(idOf(frame(text)), undefined, text)
    }
    assert.equal(idOf(Buffer.from([0xff])), undefined)
    assert.equal(idOf(frame('{"type":"say","id":7}'), true), undefined)
    for (let each = 0; each < 11; each++) refused()
    const last = refused()
    assert.equal(last?.close, 4429)
    assert.ok(last && !('id' in withId(last, frame('{"type":"say","id":7}'), false, socket.policy)))
  })

  it('lets a raw route have its frames, and closes it with 4429 rather than drop one', () => {
    const { policy, state } = open({ receives: undefined })
    for (let each = 0; each < 100; each++) assert.equal(admitFrame(10, true, { policy, state }, now), undefined)
    assert.equal(admitFrame(10, true, { policy, state }, now)?.close, 4429)
    const other = open({ receives: undefined })
    assert.equal(admitFrame(1_048_577, true, other, now)?.close, 4429)
    assert.equal(admitFrame(1_048_576, true, other, now), undefined)
  })
})

// What fails in a check of ours says nothing of the message: it is no rule that could be tried out.
it('lets nothing through where a rule only reports and its check is broken', async () => {
  const reported: unknown[] = []
  for (const remember of [
    () => {
      throw new Error('of ours')
    },
    () => Promise.reject(new Error('of a store')),
  ]) {
    const rule = { schema: { type: 'object' }, replay: { window: 60_000 } } as const
    const socket = open({ receives: { pay: rule }, reports: () => true, replayGuard: { remember } })
    const told = { ...socket, reported: (refusal: object) => reported.push(refusal) }
    const verdict = await text(told, { type: 'pay', nonce: '12345678', at: socket.clock.now() })
    const { kind, code: is } = { code: undefined, ...verdict }
    reported.push([kind, is])
  }
  // That nobody could be asked is what would have refused it.
  const [broken, refusal, let_] = reported
  assert.deepEqual(
    [broken, let_],
    [
      ['refuse', 'SWS_INTERNAL'],
      ['deliver', undefined],
    ],
  )
  assert.equal(Reflect.get(Object(refusal), 'code'), 'SWS_INTERNAL')
})

// A token is looked up in a store: that is no type of the route, and no rule of a client's of before.
it('refuses refreshes that are too fast, while the pace of messages only reports', async () => {
  const socket = open({ refreshable: true, reports: () => true })
  const codes: unknown[] = []
  for (let count = 0; count < 6; count++) codes.push(code(await text(socket, { type: 'refresh', token: 't' })))
  assert.deepEqual(codes, [...Array(5).fill('deliver'), 'SWS_TOO_FAST'])
})

describe('compileInbound', () => {
  it('fails with the full path of what is wrong', () => {
    const wrong = (more: Partial<InboundOptions>, message: RegExp) =>
      assert.throws(() => open(more), { code: 'SWS_BAD_OPTION', message })
    wrong({ receives: { close: say } }, /secureWs\.receives\.close/)
    wrong({ binary: ['text/plain'] }, /secureWs\.binary\[0\]/)
    wrong({ limits: { ...limits, messageDepth: 0 } }, /secureWs\.limits\.messageDepth/)
    wrong({ limits: { ...limits, messageDepth: 1e6 } }, /secureWs\.limits\.messageDepth/)
    wrong({ limits: { ...limits, messages: { perSecond: -1 } } }, /secureWs\.limits\.messages\.perSecond/)
    wrong({ limits: { ...limits, bytes: { perSecond: Number.NaN } } }, /secureWs\.limits\.bytes\.perSecond/)
    wrong({ limits: { ...limits, refusals: { perMinute: 0 } } }, /secureWs\.limits\.refusals\.perMinute/)
  })

  it('explains itself as plain values', () => {
    const { policy } = open({ receives: { say: { ...say, rate: { perSecond: 5, burst: 10 }, freshAuth: 1000 } } })
    assert.deepEqual(JSON.parse(JSON.stringify(policy.explain())), {
      receives: { say: { authorized: false, rate: { perSecond: 5, burst: 10 }, freshAuth: 1000, sanitized: false } },
      limits,
    })
  })
})
