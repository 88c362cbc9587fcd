import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generate } from 'selfsigned'
import {
  type ClientCertificateOptions,
  clientCertificate,
  isValidAt,
} from '../../src/authentication/client-certificate.ts'
import { testCertificate } from '../harness/certificate.ts'
import { startAsking } from './asking.ts'

const ca = [
  { name: 'basicConstraints', cA: true, critical: true },
  { name: 'keyUsage', keyCertSign: true, cRLSign: true },
] as const
const client = [
  { name: 'basicConstraints', cA: false },
  { name: 'extKeyUsage', clientAuth: true },
] as const
const named = (value: string) => [{ name: 'commonName', value }]

interface Pair {
  readonly private: string
  readonly cert: string
}

const authority = await generate(named('Devices'), { keyType: 'ec', algorithm: 'sha256', extensions: [...ca] })
const impostor = await generate(named('Devices'), { keyType: 'ec', algorithm: 'sha256', extensions: [...ca] })

async function deviceOf(issuer: Pair, change: object = {}): Promise<{ key: string; cert: string }> {
  const made = await generate(named('device-7'), {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [...client],
    ca: { key: issuer.private, cert: issuer.cert },
    ...change,
  })
  return { key: made.private, cert: made.cert }
}

const load: ClientCertificateOptions['load'] = ({ subject }) =>
  subject.CN === 'device-7' ? { id: 's1', userId: 'device-7' } : null

/** The worst TLS configuration: everybody may finish the TLS handshake. */
async function lenient() {
  const { key, cert } = await testCertificate()
  return { key, cert, ca: authority.cert, requestCert: true, rejectUnauthorized: false }
}

const over = { rejectUnauthorized: false }

test('a certificate of a verified chain is known', async (t) => {
  const { ask } = await startAsking(t, clientCertificate({ load }), { https: await lenient() })
  const device = await deviceOf(authority)
  const { status, session, method } = await ask([], '/', { ...over, ...device })
  assert.deepEqual([status, session, method], [200, { id: 's1', userId: 'device-7' }, 'clientCertificate'])
})

test('no certificate, one of a namesake authority, a self-signed and an expired one: refused', async (t) => {
  let loads = 0
  const counting = clientCertificate({
    load: (...known) => {
      loads++
      return load(...known)
    },
  })
  const { ask } = await startAsking(t, counting, { https: await lenient() })
  const alone = await generate(named('device-7'), { keyType: 'ec', algorithm: 'sha256' })
  const past = { notBeforeDate: new Date(Date.now() - 2 * 86_400_000), notAfterDate: new Date(Date.now() - 86_400_000) }
  const future = {
    notBeforeDate: new Date(Date.now() + 86_400_000),
    notAfterDate: new Date(Date.now() + 2 * 86_400_000),
  }
  assert.equal((await ask([], '/', over)).reason, 'no known credential')
  for (const device of [
    await deviceOf(impostor),
    { key: alone.private, cert: alone.cert },
    await deviceOf(authority, past),
    await deviceOf(authority, future),
  ]) {
    assert.equal(
      (await ask([], '/', { ...over, ...device })).reason,
      'clientCertificate: a client certificate that was not verified',
    )
  }
  assert.equal(loads, 0)
})

test('a verified certificate nobody knows is nobody', async (t) => {
  const { ask } = await startAsking(t, clientCertificate({ load: async () => null }), { https: await lenient() })
  assert.equal((await ask([], '/', { ...over, ...(await deviceOf(authority)) })).reason, 'no known credential')
})

test('headers in which a proxy would pass a certificate on are not read, nor is plain HTTP', async (t) => {
  const { ask } = await startAsking(t, clientCertificate({ load }))
  const { status } = await ask([
    ['x-client-cert', encodeURIComponent((await deviceOf(authority)).cert)],
    ['x-ssl-client-verify', 'SUCCESS'],
    ['ssl-client-s-dn', 'CN=device-7'],
  ])
  assert.equal(status, 401)
})

test('a session ends with its certificate, at revalidation', async (t) => {
  const revoked = new Set<string>()
  const devices = clientCertificate({ load, revalidate: ({ id }) => !revoked.has(id) })
  const { ask, authentication, accepted } = await startAsking(t, devices, { https: await lenient() })
  await ask([], '/', { ...over, ...(await deviceOf(authority)) })
  const [signedIn] = accepted
  assert.ok(signedIn)
  assert.equal((await authentication.revalidate(signedIn))?.session, signedIn.session)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 10 * 365 * 86_400_000 })
  assert.equal(await authentication.revalidate(signedIn), null)
  t.mock.timers.reset()
  revoked.add('s1')
  assert.equal(await authentication.revalidate(signedIn), null)
})

test('isValidAt: inside, on the borders, and with a date that is none', () => {
  assert.deepEqual(
    [isValidAt(5, 1, 9), isValidAt(1, 1, 9), isValidAt(9, 1, 9), isValidAt(0, 1, 9)],
    [true, true, false, false],
  )
  assert.deepEqual([isValidAt(5, Number.NaN, 9), isValidAt(5, 1, Number.NaN)], [false, false])
})

test('wrong options fail at registration', () => {
  for (const change of [{ load: undefined }, { load: 'CN' }, { revalidate: 1 }, { header: 'x-client-cert' }]) {
    assert.throws(() => clientCertificate({ load, ...change } as never), { code: 'SWS_BAD_OPTION' })
  }
  assert.equal(clientCertificate({ load }).ambient, true)
})
