import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { describe, test } from 'node:test'
import { type Envelope, envelopeLimit, openEnvelope, sealEnvelope } from '../../src/relay/envelope.ts'
import { denialOf } from '../../src/session/denials.ts'
import fc from '../harness/fast-check.ts'

const key = (text: string) => createSecretKey(Buffer.from(text.padEnd(32, '.')))
const keys = [key('new'), key('old')]
const topic = 'room:a'
const roomEnvelope: Envelope = {
  node: 'n1',
  sequence: 7,
  at: 1_700_000_000_000,
  message: { kind: 'room', room: 'a', except: 'socket 1', frame: '{"type":"said","text":"&lt;b&gt;"}' },
}
const closing: Envelope = {
  ...roomEnvelope,
  message: { kind: 'identity', verb: 'close', subjects: [denialOf('session', 's', 1, 2)] },
}

describe('an envelope', () => {
  test('comes out as it went in', () => {
    for (const envelope of [
      roomEnvelope,
      closing,
      { ...closing, message: { ...closing.message, verb: 'reauthorize' } } as Envelope,
      { ...closing, message: { ...closing.message, verb: 'doubt' } } as Envelope,
      { ...roomEnvelope, message: { kind: 'room', room: '\ud800\n"', frame: 'AAEC', binary: true } } as Envelope,
      { ...roomEnvelope, message: { kind: 'room', room: 'a', frame: '' } } as Envelope,
      { ...roomEnvelope, message: { kind: 'room', room: 'a', frame: '\n\n.\n\u2028' } } as Envelope,
    ]) {
      assert.deepEqual(openEnvelope(topic, sealEnvelope(topic, envelope, keys), keys), envelope)
      assert.deepEqual(openEnvelope(topic, sealEnvelope(topic, envelope, undefined), undefined), envelope)
    }
  })

  test('any text is carried unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 1 }), (frame, room) => {
        const envelope: Envelope = { ...roomEnvelope, message: { kind: 'room', room, frame } }
        assert.deepEqual(openEnvelope(topic, sealEnvelope(topic, envelope, keys), keys), envelope)
      }),
    )
  })

  test('is signed by the first key and verified by all', () => {
    const sealed = sealEnvelope(topic, roomEnvelope, [key('old')])
    assert.deepEqual(openEnvelope(topic, sealed, keys), roomEnvelope)
    assert.equal(openEnvelope(topic, sealEnvelope(topic, roomEnvelope, keys), [key('old')]), 'bad signature')
  })
})

describe('BR-04: forged by somebody who can publish', () => {
  const sealed = sealEnvelope(topic, roomEnvelope, keys)
  const [, signature = '', ...rest] = sealed.split('.')
  const body = rest.join('.')
  const attacks: Record<string, string> = {
    unsigned: sealEnvelope(topic, roomEnvelope, undefined),
    'with a signature left out': `sws1.${body}`,
    'signed by another key': sealEnvelope(topic, roomEnvelope, [key('attacker')]),
    'signed for another topic': sealEnvelope('room:b', roomEnvelope, keys),
    'with a frame appended to': `${sealed}<script>`,
    'truncated by a character': sealed.slice(0, -1),
    'with another time': `sws1.${signature}.${body.replace('1700000000000', '1700000000001')}`,
    'with a signature cut short': `sws1.${signature.slice(0, 20)}.${body}`,
    'with a signature of zeros': `sws1.${'A'.repeat(43)}.${body}`,
    'with an empty signature': `sws1..${body}`,
  }
  for (const [name, payload] of Object.entries(attacks)) {
    test(name, () => {
      assert.ok(['bad signature', 'malformed'].includes(String(openEnvelope(topic, payload, keys))))
    })
  }

  test('the near miss: the very same, untouched', () => {
    assert.deepEqual(openEnvelope(topic, sealed, keys), roomEnvelope)
  })

  test('any single character changed is noticed', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom('A', '0', '~', '"'), (at, other) => {
        // The last character of 43 holds two bits that decode to nothing.
        fc.pre(sealed[at] !== other && at !== 'sws1.'.length + 42)
        const opened = openEnvelope(topic, sealed.slice(0, at) + other + sealed.slice(at + 1), keys)
        assert.equal(typeof opened, 'string')
      }),
    )
  })
})

describe('BR-03: signed, but odd', () => {
  /** As if a node with the secret had gone mad: what is inside must hold by itself. */
  const header = (fields: string, frame = '') => {
    const sealed = sealEnvelope(topic, roomEnvelope, undefined)
    return `${sealed.slice(0, 'sws1..'.length)}${fields}\n${frame}`
  }
  const base = '"node":"n1","sequence":1,"at":1'
  const denial = JSON.stringify(denialOf('session', 's', 1, 2))
  const odd: string[] = [
    '',
    'x',
    'null',
    '[]',
    '"text"',
    '{}',
    `{${base}}`,
    `{${base},"kind":"room"}`,
    `{${base},"kind":"room","room":""}`,
    `{${base},"kind":"room","room":7}`,
    `{${base},"kind":"room","room":"a","except":7}`,
    `{${base},"kind":"room","room":"a","binary":1}`,
    `{${base},"kind":"room","room":"a","more":1}`,
    `{${base},"kind":"room","room":"a","__proto__":{"polluted":1}}`,
    `{${base},"kind":"room","room":"${'a'.repeat(1_025)}"}`,
    `{"node":"","sequence":1,"at":1,"kind":"room","room":"a"}`,
    `{"node":"n","sequence":-1,"at":1,"kind":"room","room":"a"}`,
    `{"node":"n","sequence":1.5,"at":1,"kind":"room","room":"a"}`,
    `{"node":"n","sequence":"1","at":1,"kind":"room","room":"a"}`,
    `{"node":"n","sequence":1,"at":1e300,"kind":"room","room":"a"}`,
    `{${base},"kind":"identity","verb":"open","subjects":[${denial}]}`,
    `{${base},"kind":"identity","verb":"close"}`,
    `{${base},"kind":"identity","verb":"close","subjects":[null]}`,
    `{${base},"kind":"identity","verb":"close","subjects":[]}`,
    `{${base},"kind":"identity","verb":"close","subjects":[${denial},null]}`,
    `{${base},"kind":"identity","verb":"close","subjects":[${Array(51).fill(denial)}]}`,
    `{${base},"kind":"identity","verb":"close","subjects":[${denial.replace('session', 'toString')}]}`,
    `{${base},"kind":"identity","verb":"close","subjects":[${denial.replace(/"id":"[^"]+"/, '"id":"s"')}]}`,
    `{${base},"kind":"identity","verb":"close","subjects":[${denial.replace('"until":2', '"until":-2')}]}`,
    `{${base},"kind":"__proto__","room":"a"}`,
    `{${base},"kind":"room","room":"a"`,
    `${'['.repeat(8_000)}`,
    `{${base},"kind":"room","room":"a","x":"${'a'.repeat(9_000)}"}`,
  ]
  for (const fields of odd) {
    test(fields.slice(0, 100) || '(nothing)', () => {
      assert.equal(openEnvelope(topic, header(fields), undefined), 'malformed')
    })
  }

  test('the near miss is read', () => {
    const opened = openEnvelope(topic, header(`{${base},"kind":"room","room":"a"}`, 'x'), undefined)
    assert.deepEqual(opened, { node: 'n1', sequence: 1, at: 1, message: { kind: 'room', room: 'a', frame: 'x' } })
  })

  test('a revocation carries no frame', () => {
    const fields = `{${base},"kind":"identity","verb":"close","subjects":[${denial}]}`
    assert.equal(typeof openEnvelope(topic, header(fields), undefined), 'object')
    assert.equal(openEnvelope(topic, header(fields, 'x'), undefined), 'malformed')
  })

  test('without a line break there is no frame', () => {
    assert.equal(openEnvelope(topic, `sws1..{${base},"kind":"room","room":"a"}`, undefined), 'malformed')
  })
})

test('BR-03: another version is told from noise', () => {
  const sealed = sealEnvelope(topic, roomEnvelope, keys)
  assert.equal(openEnvelope(topic, sealed.replace('sws1', 'sws2'), keys), 'other version')
  assert.equal(openEnvelope(topic, 'not an envelope', keys), 'malformed')
  assert.equal(openEnvelope(topic, '', keys), 'malformed')
})

test('BR-03: 10 MB is refused by its length alone, and what just fits is not', () => {
  const large: Envelope = { ...roomEnvelope, message: { kind: 'room', room: 'a', frame: 'x'.repeat(10_000_000) } }
  assert.equal(openEnvelope(topic, sealEnvelope(topic, large, keys), keys), 'too large')
  const overhead = sealEnvelope(
    topic,
    { ...roomEnvelope, message: { kind: 'room', room: 'a', frame: '' } },
    keys,
  ).length
  const frame = 'x'.repeat(envelopeLimit - overhead)
  const fits: Envelope = { ...roomEnvelope, message: { kind: 'room', room: 'a', frame } }
  assert.deepEqual(openEnvelope(topic, sealEnvelope(topic, fits, keys), keys), fits)
  const over: Envelope = { ...roomEnvelope, message: { kind: 'room', room: 'a', frame: `${frame}x` } }
  assert.equal(openEnvelope(topic, sealEnvelope(topic, over, keys), keys), 'too large')
})

test('the decoder is total', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (header, frame) => {
      for (const payload of [header, `sws1.${header}`, `sws1..${header}\n${frame}`, `sws1..{${header}}\n${frame}`]) {
        openEnvelope(topic, payload, undefined)
        assert.equal(typeof openEnvelope(topic, payload, keys), 'string')
      }
    }),
  )
  fc.assert(fc.property(fc.json(), (header) => void openEnvelope(topic, `sws1..${header}\n`, undefined)))
})
