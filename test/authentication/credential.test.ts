import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import {
  authorizationCredential,
  offeredProtocols,
  onlyHeader,
  protocolCredential,
  protocolsWithPrefix,
  RefusedCredential,
} from '../../src/authentication/credential.ts'
import { headerLines } from '../../src/http/header-lines.ts'

function requestWith(...rawHeaders: string[]) {
  const raw = new IncomingMessage(new Socket())
  raw.rawHeaders = rawHeaders
  return { raw }
}

test('every line of a header is read, whatever the case of its name', () => {
  const request = requestWith('Cookie', 'a=1', 'X', 'y', 'cookie', 'b=2')
  assert.deepEqual(headerLines(request.raw, 'cookie'), ['a=1', 'b=2'])
})

test('SE-13 two Authorization headers are refused; Node alone would keep the first', () => {
  const request = requestWith('Authorization', 'Bearer a', 'authorization', 'Bearer b')
  assert.throws(() => onlyHeader(request, 'authorization'), RefusedCredential)
  assert.throws(() => authorizationCredential(request, 'bearer'), RefusedCredential)
})

test('a polluted Object.prototype sends no header', () => {
  const raw = new IncomingMessage(new Socket())
  // injectWS has no rawHeaders: the fallback reads own properties only.
  Reflect.deleteProperty(raw, 'rawHeaders')
  raw.headers = Object.create({ authorization: 'Bearer polluted' })
  assert.equal(onlyHeader({ raw }, 'authorization'), undefined)
  raw.headers = { authorization: 'Bearer own' }
  assert.equal(onlyHeader({ raw }, 'authorization'), 'Bearer own')
})

test('a scheme is compared as a whole, in any case', () => {
  assert.equal(authorizationCredential(requestWith('authorization', 'bEaReR  x '), 'bearer'), 'x')
  assert.equal(authorizationCredential(requestWith('authorization', 'Bearer'), 'bearer'), '')
  assert.equal(authorizationCredential(requestWith('authorization', 'Bearers x'), 'bearer'), undefined)
  // U+00A0 is no white space of HTTP: the credential keeps it, and is then malformed.
  assert.equal(authorizationCredential(requestWith('authorization', 'Bearer x\u00a0'), 'bearer'), 'x\u00a0')
})

test('several protocol lines are one list, and two credentials in it are refused', () => {
  const request = requestWith('Sec-WebSocket-Protocol', 'chat, ticket.a', 'sec-websocket-protocol', ' other')
  assert.deepEqual(offeredProtocols(request), ['chat', 'ticket.a', 'other'])
  assert.equal(protocolCredential(request, 'ticket.'), 'a')
  assert.equal(protocolCredential(request, 'bearer.'), undefined)
  assert.throws(
    () => protocolCredential(requestWith('sec-websocket-protocol', 'ticket.a,ticket.a'), 'ticket.'),
    RefusedCredential,
  )
})

test('SE-14 a misspelt credential is found too, so that it is not echoed', () => {
  assert.deepEqual(protocolsWithPrefix(['chat', 'Ticket.a', 'ticket.b', 'tickets'], 'ticket.'), [
    'Ticket.a',
    'ticket.b',
  ])
})
