import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import { WebSocket } from 'ws'
import { compileRules } from '../../src/inbound/receive-rule.ts'

const rule = { schema: Type.Object({ text: Type.String() }) }

function wrong(receives: unknown, message: RegExp): void {
  assert.throws(() => compileRules(receives, 'secureWs.receives'), { code: 'SWS_BAD_OPTION', message })
}

describe('compileRules', () => {
  // `{ "type": "close" }` must not become `socket.emit('close', ...)`.
  it('CS-18 refuses the names of events that the socket or this package emits itself', () => {
    const ours = ['binary', 'reply', 'left', 'expiring', 'refresh', 'sws.anything', 'SWS.anything', 'sws.']
    const theirs = [
      'message',
      'close',
      'error',
      'open',
      'ping',
      'pong',
      'upgrade',
      'unexpected-response',
      'redirect',
      'drain',
    ]
    for (const type of [...ours, ...theirs, 'newListener', 'removeListener']) {
      wrong({ [type]: rule }, new RegExp(`receives\\.${type}`))
    }
    assert.equal(compileRules({ closed: rule, messages: rule, sws: rule, swsx: rule, Ping: rule }, 'receives').size, 5)
  })

  it('CS-18 refuses every event the installed ws has a property for', () => {
    const events = Object.getOwnPropertyNames(WebSocket.prototype).filter((name) => name.startsWith('on'))
    assert.ok(events.includes('onmessage'))
    for (const property of events) wrong({ [property.slice(2)]: rule }, /receives/)
  })

  it('MS-07 takes names that every object inherits, and finds only what was declared', () => {
    const rules = compileRules({ toString: rule, constructor: rule, hasOwnProperty: rule }, 'receives')
    assert.equal(rules.size, 3)
    assert.equal(compileRules({ say: rule }, 'receives').get('toString'), undefined)
    wrong(JSON.parse('{"__proto__":{}}'), /receives\.__proto__/)
  })

  it('refuses names that are no names', () => {
    for (const type of ['', '1', '_x', ' say', 'say ', 'a b', 'a/b', 'a\n', 'n\u00e4', 'a'.repeat(65), '-a'])
      wrong({ [type]: rule }, /receives/)
    assert.equal(compileRules({ ['a'.repeat(64)]: rule, 'chat.say:v1-2_x': rule }, 'receives').size, 2)
  })

  it('refuses misspelt and mistyped guards with their full path', () => {
    wrong({ say: { ...rule, autorize: () => true } }, /receives\.say\.autorize/)
    wrong({ say: { ...rule, authorize: true } }, /receives\.say\.authorize/)
    wrong({ say: { ...rule, rate: 5 } }, /receives\.say\.rate/)
    wrong({ say: { ...rule, rate: { perSecond: 0 } } }, /receives\.say\.rate\.perSecond/)
    wrong({ say: { ...rule, replay: true } }, /receives\.say\.replay/)
    wrong({ say: { ...rule, replay: {} } }, /receives\.say\.replay\.window/)
    wrong({ say: { ...rule, replay: { window: 1, nonces: 2 } } }, /receives\.say\.replay\.nonces/)
    wrong({ say: { ...rule, freshAuth: '5m' } }, /receives\.say\.freshAuth/)
    wrong({ say: { ...rule, freshAuth: 0 } }, /receives\.say\.freshAuth/)
    wrong({ say: {} }, /receives\.say\.schema/)
    for (const receives of [null, [], 'say', { say: null }, { say: undefined }]) wrong(receives, /receives/)
  })

  it('keeps `nonce` and `at` for the envelope where replay is declared, and only there', () => {
    const schema = Type.Object({ nonce: Type.String() })
    wrong({ pay: { schema, replay: { window: 1000 } } }, /receives\.pay\.schema\.properties\.nonce/)
    assert.equal(compileRules({ pay: { schema } }, 'receives').size, 1)
  })
})
