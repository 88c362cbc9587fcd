import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Signer } from '@fastify/cookie'
import { SignJWT } from 'jose'
import { generate } from 'selfsigned'
import type { Authenticator } from '../../src/authentication/authenticator.ts'
import { basic } from '../../src/authentication/basic.ts'
import { bearer } from '../../src/authentication/bearer.ts'
import { clientCertificate } from '../../src/authentication/client-certificate.ts'
import { cookieSession } from '../../src/authentication/cookie-session.ts'
import { fromRequest } from '../../src/authentication/from-request.ts'
import { ticket } from '../../src/authentication/ticket.ts'
import type { Session } from '../../src/session/session.ts'
import { testCertificate } from '../harness/certificate.ts'
import { type Asking, startAsking } from './asking.ts'

/**
 * ASVS 6.1.3: every way in is as strong as the others. One table: each authenticator is shown the same seven credentials,
 * and only the right one enters. `replayed` is the right one a second time; where a credential may be used again, that is
 * said here, and is no accident.
 */
type Shown = Parameters<Asking['ask']>
type Case = 'missing' | 'malformed' | 'expired' | 'tampered' | 'other' | 'right' | 'replayed'

interface Row {
  readonly authenticator: Authenticator
  readonly show: Readonly<Record<Exclude<Case, 'missing' | 'replayed'>, Shown>>
  readonly replayed: 200 | 401
}

const ada: Session = { id: 's1', userId: 'ada' }
const past = Date.now() - 1_000
const secret = randomBytes(32)
const header = (name: string, value: string): Shown => [[[name, value]]]

const sessions = new Map<string, Session>([
  ['s1', ada],
  ['old', { id: 'old', expiresAt: past }],
])

function cookieRow(): Row {
  const cookie = (value: string) => header('cookie', `__Host-session=${encodeURIComponent(value)}`)
  const sign = (id: string, key = secret) => new Signer(key).sign(id)
  return {
    authenticator: cookieSession({ secret, load: (id) => sessions.get(id) }),
    show: {
      malformed: header('cookie', '__Host-session=%'),
      expired: cookie(sign('old')),
      tampered: cookie(sign('s1').replace('s1', 's2')),
      other: cookie(sign('s1', randomBytes(32))),
      right: cookie(sign('s1')),
    },
    replayed: 200,
  }
}

async function bearerRow(): Promise<Row> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const [issuer, audience, exp] = ['https://login.example/', 'https://app.example', 4_000_000_000]
  const sign = (change: object = {}) =>
    new SignJWT({ iss: issuer, aud: audience, sub: 'ada', jti: 't1', exp, ...change })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(privateKey)
  const shown = (token: string) => header('sec-websocket-protocol', `chat, bearer.${token}`)
  const [head, , signature] = (await sign()).split('.')
  const [, payload] = (await sign({ sub: 'eve' })).split('.')
  return {
    authenticator: bearer({ key: publicKey, algorithms: ['EdDSA'], issuer, audience }),
    show: {
      malformed: shown('x'),
      expired: shown(await sign({ exp: Math.floor(past / 1000) - 60 })),
      tampered: shown(`${head}.${payload}.${signature}`),
      other: shown(await sign({ aud: 'https://other.example' })),
      right: shown(await sign()),
    },
    replayed: 200,
  }
}

function basicRow(): Row {
  const verify = (user: string, password: string) => (password === 's3cret' ? (sessions.get(user) ?? null) : null)
  const shown = (text: string) => header('authorization', `Basic ${Buffer.from(text).toString('base64')}`)
  return {
    authenticator: basic({ verify, refuseEvery: 0 }),
    show: {
      malformed: header('authorization', 'Basic s1:s3cret'),
      expired: shown('old:s3cret'),
      tampered: shown('s1:s3creT'),
      other: shown('eve:s3cret'),
      right: shown('s1:s3cret'),
    },
    replayed: 200,
  }
}

async function ticketRow(): Promise<Row> {
  const tickets = ticket()
  const issue = (change: object = {}) => tickets.issue(ada, { origin: null, route: '/', ...change })
  const shown = (protocol: string) => header('sec-websocket-protocol', `chat, ${protocol}`)
  const flipped = (text: string) => text.slice(0, -5) + (text.at(-5) === 'A' ? 'B' : 'A') + text.slice(-4)
  const short = await issue({ ttl: 1 })
  while (Date.now() <= short.expiresAt) await new Promise((resolve) => setTimeout(resolve, 2))
  return {
    authenticator: tickets,
    show: {
      malformed: shown('ticket.x'),
      expired: shown(short.protocol),
      tampered: shown(flipped((await issue()).protocol)),
      other: shown((await issue({ route: '/rooms/7' })).protocol),
      right: shown((await issue()).protocol),
    },
    replayed: 401,
  }
}

function fromRequestRow(): Row {
  const shown = (value: string) => header('x-session', value)
  return {
    authenticator: fromRequest((request) => JSON.parse(String(request.headers['x-session'] ?? 'null'))),
    show: {
      malformed: shown('{'),
      expired: shown(JSON.stringify({ ...ada, expiresAt: past })),
      tampered: shown(JSON.stringify({ ...ada, id: '' })),
      other: shown('true'),
      right: shown(JSON.stringify(ada)),
    },
    replayed: 200,
  }
}

const root = [{ name: 'basicConstraints', cA: true } as const, { name: 'keyUsage', keyCertSign: true } as const]
const named = (value: string) => [{ name: 'commonName', value }]
const makeAuthority = () => generate(named('Devices'), { keyType: 'ec', algorithm: 'sha256', extensions: root })
const authority = await makeAuthority()

async function certificateRow(): Promise<Row> {
  const made = async (change: object = {}, issuer = authority): Promise<Shown> => {
    const ca = { key: issuer.private, cert: issuer.cert }
    const { private: key, cert } = await generate(named('s1'), { keyType: 'ec', algorithm: 'sha256', ca, ...change })
    return [[], '/', { key, cert, rejectUnauthorized: false }]
  }
  const ended = { notBeforeDate: new Date(past - 172_800_000), notAfterDate: new Date(past - 86_400_000) }
  const alone = await generate(named('s1'), { keyType: 'ec', algorithm: 'sha256' })
  return {
    authenticator: clientCertificate({ load: ({ subject }) => sessions.get(String(subject.CN)) }),
    show: {
      malformed: [[['x-client-cert', alone.cert.replaceAll(/\s/g, '')]], '/', { rejectUnauthorized: false }],
      expired: await made(ended),
      tampered: [[], '/', { key: alone.private, cert: alone.cert, rejectUnauthorized: false }],
      other: await made({}, await makeAuthority()),
      right: await made(),
    },
    replayed: 200,
  }
}

for (const row of [
  cookieRow(),
  await bearerRow(),
  basicRow(),
  await ticketRow(),
  fromRequestRow(),
  await certificateRow(),
]) {
  const { authenticator, show, replayed } = row
  test(`ASVS 6.1.3 ${authenticator.name}: only the right credential enters`, async (t) => {
    const https = { ...(await testCertificate()), ca: authority.cert, requestCert: true, rejectUnauthorized: false }
    const { ask } = await startAsking(t, authenticator, { https })
    const shown = async ([headers, path, client]: Shown) =>
      (await ask(headers, path, { rejectUnauthorized: false, ...client })).status
    assert.equal(await shown([]), 401, 'missing')
    for (const name of ['malformed', 'expired', 'tampered', 'other'] as const)
      assert.equal(await shown(show[name]), 401, name)
    assert.equal(await shown(show.right), 200, 'right')
    assert.equal(await shown(show.right), replayed, 'replayed')
  })
}
