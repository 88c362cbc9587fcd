import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createIdentities } from '../../src/revocation/identities.ts'
import { identityKey } from '../../src/session/identity.ts'
import { identityOf } from '../session/identity-of.ts'

const member = (id: string, session: { id: string; userId?: string; tokenId?: string } | null) => ({
  id,
  session,
  identity: session && identityOf(session),
})

test('a socket is found by its session, its user and its token, and by nothing once it has left', () => {
  const identities = createIdentities()
  const ann = member('1', { id: 's', userId: 'u', tokenId: 't' })
  const other = member('2', { id: 's2', userId: 'u' })
  identities.enter(ann)
  identities.enter(other)
  assert.deepEqual([...identities.of(identityKey('session', 's'))], [ann])
  assert.deepEqual([...identities.of(identityKey('user', 'u'))], [ann, other])
  assert.deepEqual([...identities.of(identityKey('token', 't'))], [ann])
  identities.leave(ann)
  identities.leave(ann)
  assert.deepEqual([...identities.of(identityKey('user', 'u'))], [other])
  identities.leave(other)
  assert.equal(identities.size, 0)
})

// A user who calls themselves `s`, or a session named `user:u`, must not stand in for another's identity.
test('session, user and token of one name are three identities', () => {
  const identities = createIdentities()
  const [session, user, token] = [
    member('1', { id: 'x' }),
    member('2', { id: 'user:x', userId: 'y' }),
    member('3', { id: 'z', userId: 'session:x', tokenId: 'x' }),
  ]
  for (const each of [session, user, token]) identities.enter(each)
  assert.deepEqual([...identities.of(identityKey('session', 'x'))], [session])
  assert.deepEqual([...identities.of(identityKey('user', 'x'))], [])
  assert.deepEqual([...identities.of(identityKey('token', 'x'))], [token])
})

test('nobody is in no identity, and BR-07 1,000 comings and goings leave nothing', () => {
  const identities = createIdentities()
  identities.enter(member('0', null))
  for (let index = 0; index < 1_000; index++) {
    const each = member(String(index), { id: `s${index}`, userId: 'u', tokenId: `t${index}` })
    identities.enter(each)
    identities.leave(each)
  }
  assert.equal(identities.size, 0)
})
