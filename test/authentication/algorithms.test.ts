import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { jwtVerify, SignJWT } from 'jose'
import { isSymmetric, knownAlgorithms, unfitFor } from '../../src/authentication/algorithms.ts'

const pairOf = (curve: string) => generateKeyPairSync('ec', { namedCurve: curve })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pairs = {
  rsa,
  'rsa-pss': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  'rsa of 1024 bits': generateKeyPairSync('rsa', { modulusLength: 1024 }),
  'rsa-pss of 1024 bits': generateKeyPairSync('rsa-pss', { modulusLength: 1024 }),
  'P-256': pairOf('prime256v1'),
  'P-384': pairOf('secp384r1'),
  'P-521': pairOf('secp521r1'),
  secp256k1: pairOf('secp256k1'),
  ed25519: generateKeyPairSync('ed25519'),
  ed448: generateKeyPairSync('ed448'),
  x25519: generateKeyPairSync('x25519'),
}
const secretOf = (bytes: number) => createSecretKey(randomBytes(bytes))
const keys: Readonly<Record<string, KeyObject>> = {
  ...Object.fromEntries(Object.entries(pairs).map(([name, { publicKey }]) => [name, publicKey])),
  'private rsa': rsa.privateKey,
  ...Object.fromEntries([1, 31, 32, 47, 48, 63, 64].map((bytes) => [`${bytes} bytes`, secretOf(bytes)])),
}

/** RFC 7518 section 3.1 and RFC 8037 section 3.1: the keys that each may be used with, and no other. */
const fitting: Readonly<Record<string, readonly string[]>> = {
  HS256: ['32 bytes', '47 bytes', '48 bytes', '63 bytes', '64 bytes'],
  HS384: ['48 bytes', '63 bytes', '64 bytes'],
  HS512: ['64 bytes'],
  RS256: ['rsa'],
  RS384: ['rsa'],
  RS512: ['rsa'],
  PS256: ['rsa'],
  PS384: ['rsa'],
  PS512: ['rsa'],
  ES256: ['P-256'],
  ES384: ['P-384'],
  ES512: ['P-521'],
  EdDSA: ['ed25519'],
  Ed25519: ['ed25519'],
}

// A key that fits where it should not is the way from a public key to a secret that everybody has (RFC 8725 section 2.1).
test('SE-13 each algorithm goes with its keys, and with no other', () => {
  assert.deepEqual([...knownAlgorithms].sort(), Object.keys(fitting).sort())
  for (const [algorithm, own] of Object.entries(fitting)) {
    assert.equal(isSymmetric(algorithm), algorithm.startsWith('HS'))
    for (const [name, key] of Object.entries(keys)) {
      const unfit = unfitFor(algorithm, key)
      assert.equal(unfit === undefined, own.includes(name), `${algorithm} with ${name}: ${unfit}`)
      if (unfit !== undefined) assert.ok(unfit.includes(`\`${algorithm}\``), unfit)
    }
  }
  for (const name of ['none', 'NONE', 'hs256', 'ES256K', 'RS1', 'HS1', 'dir', '', 'toString', '__proto__']) {
    assert.ok(!isSymmetric(name))
    for (const key of Object.values(keys)) assert.match(unfitFor(name, key) ?? 'fits', /is not known$/)
  }
})

// A key of type rsa-pss was accepted at the start, and then no token was.
test('what fits can be signed and verified with, and the reason names what does not', async () => {
  for (const [algorithm, own] of Object.entries(fitting)) {
    for (const name of own) {
      const pair = Object.entries(pairs).find(([each]) => each === name)?.[1]
      const signing = pair?.privateKey ?? keys[name]
      const verifying = keys[name]
      assert.ok(signing !== undefined && verifying !== undefined)
      const token = await new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg: algorithm }).sign(signing)
      assert.equal((await jwtVerify(token, verifying, { algorithms: [algorithm] })).payload.sub, 'ada')
    }
  }
  const reason = (algorithm: string, name: string) => unfitFor(algorithm, keys[name] ?? rsa.publicKey)
  assert.match(reason('HS384', '47 bytes') ?? '', /at least 48 bytes, not 47$/)
  assert.match(reason('HS256', 'rsa') ?? '', /needs a secret, and this is a public key$/)
  assert.match(reason('RS256', 'private rsa') ?? '', /this is a private key$/)
  assert.match(reason('RS256', '64 bytes') ?? '', /this is a secret key$/)
  assert.match(reason('RS512', 'rsa of 1024 bits') ?? '', /at least 2048 bits, not 1024$/)
  assert.match(reason('ES256', 'secp256k1') ?? '', /curve secp256k1$/)
  assert.match(reason('PS256', 'rsa-pss') ?? '', /a key of type rsa-pss$/)
  assert.match(reason('EdDSA', 'ed448') ?? '', /a key of type ed448$/)
})
