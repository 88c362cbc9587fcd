import { hostileHandshakes } from '../attacker.ts'
import { callerOf } from '../caller.ts'
import type { ExplainedRoute } from '../door.ts'
import { isAdmitted } from '../inject.ts'
import type { HoleCode } from './hole.ts'
import { hasCredential, isAmbient, type Role } from './role.ts'
import type { Stage } from './stage.ts'

const holeOf: Readonly<Record<ReturnType<typeof hostileHandshakes>[number]['against'], HoleCode>> = {
  origin: 'foreign-origin',
  'null origin': 'null-origin',
  'no origin': 'no-origin',
  host: 'wrong-host',
  shape: 'odd-handshake',
}

/** More sockets than one client needs: where nothing says how many it may have. */
const crowd = 150

/** Everything that is tried before a socket is there. */
export async function attackHandshake(
  stage: Stage,
  name: string,
  role: Role,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  await hostile(stage, name, role, explained)
  await foreignPaths(stage, name, role)
  await inPlainText(stage, name, role, explained)
  await withoutSession(stage, name, role, explained)
  await otherCredentials(stage, name, role)
  await crowded(stage, name, role, explained)
}

/** A page can only use a credential that the browser attaches; a token, it would have to know. */
async function hostile(stage: Stage, name: string, role: Role, explained: ExplainedRoute | undefined): Promise<void> {
  const ambient = isAmbient(role, explained?.authenticate.ambient)
  const anonymous = !hasCredential(role)
  const path = role.path ?? stage.path
  const caller = await callerOf(stage.app, path, stage.callerOptions(role))
  for (const { name: attack, against, bytes } of hostileHandshakes(caller)) {
    const byPage = against === 'origin' || against === 'null origin' || against === 'no origin'
    if (byPage && !ambient && !anonymous) {
      stage.skip(attack, 'no browser attaches the credential of this role by itself, so no page can use it')
      continue
    }
    // Without a credential there is nothing that a program could abuse and a page could not.
    if (against === 'no origin' && anonymous) continue
    const admitted = await isAdmitted(stage.app, bytes, { ...caller, address: stage.freshAddress })
    stage.note(name, undefined, attack, admitted ? 'admitted' : 'refused', admitted ? holeOf[against] : undefined)
  }
}

async function foreignPaths(stage: Stage, name: string, role: Role): Promise<void> {
  for (const path of role.foreignPaths ?? []) {
    const { probe, refused } = await stage.enter(role, {}, path)
    await probe?.leave()
    const admitted = probe !== undefined
    stage.note(
      name,
      undefined,
      `somebody else's path ${path}`,
      refused ?? 'admitted',
      admitted ? 'foreign-path' : undefined,
    )
  }
}

async function inPlainText(
  stage: Stage,
  name: string,
  role: Role,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const attack = 'without TLS, from another machine'
  if (explained === undefined) {
    stage.skip(
      attack,
      'a proxy in front may speak TLS alone, and without fastify-secure-ws nothing says whether one is there',
    )
    return
  }
  const { probe, refused } = await stage.enter(role, { encrypted: false, address: '192.0.2.7' })
  await probe?.leave()
  stage.note(name, undefined, attack, refused ?? 'admitted', probe === undefined ? undefined : 'plain-text')
}

async function withoutSession(
  stage: Stage,
  name: string,
  role: Role,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  if (!hasCredential(role) || explained?.authenticate.anonymous === true) return
  const { session: _session, headers: _headers, protocols: _protocols, ...nobody } = role
  const { probe, refused } = await stage.enter(nobody)
  await probe?.leave()
  stage.note(
    name,
    undefined,
    'without a credential',
    refused ?? 'admitted',
    probe === undefined ? undefined : 'no-session',
  )
}

async function otherCredentials(stage: Stage, name: string, role: Role): Promise<void> {
  const { session, headers = {}, expired } = role
  const attempt = async (attack: string, changed: Role, hole: HoleCode) => {
    const { probe, refused } = await stage.enter(changed)
    await probe?.leave()
    stage.note(name, undefined, attack, refused ?? 'admitted', probe === undefined ? undefined : hole)
  }
  if (session !== undefined) {
    const over = { ...session, expiresAt: Date.now() - 1 }
    await attempt('a session that has expired', { ...role, session: over }, 'expired-session')
  }
  if (expired !== undefined) {
    await attempt('a credential that has expired', { ...role, headers: expired }, 'expired-session')
  }
  // Where nobody is refused for a missing credential, a wrong one says no more.
  if (stage.rows.some(({ role: of, hole }) => of === name && hole === 'no-session')) return
  const credential = Object.entries(headers).find(([key]) => /^(?:cookie|authorization)$/i.test(key))
  if (credential === undefined) return
  const [key, value] = credential
  await attempt(
    'a credential that was changed',
    { ...role, headers: { ...headers, [key]: forged(key, value) } },
    'forged-credential',
  )
  if (key.toLowerCase() !== 'cookie') return
  for (const [attack, both] of [
    ['a planted cookie before the own one', `${forged(key, value)}; ${value}`],
    ['a planted cookie behind the own one', `${value}; ${forged(key, value)}`],
  ] as const) {
    await attempt(attack, { ...role, headers: { ...headers, [key]: both } }, 'two-cookies')
  }
}

/** In the middle of each value: the last character of base64 may stand for bits that nobody reads. */
function forged(key: string, value: string): string {
  const change = (text: string) => {
    const middle = text.length >> 1
    return `${text.slice(0, middle)}${text[middle] === 'A' ? 'B' : 'A'}${text.slice(middle + 1)}`
  }
  if (key.toLowerCase() !== 'cookie') return value.replace(/\S+$/, change)
  return value.replace(/=([^;]*)/g, (_all, text: string) => `=${text === '' ? 'A' : change(text)}`)
}

async function crowded(stage: Stage, name: string, role: Role, explained: ExplainedRoute | undefined): Promise<void> {
  const { connectionsPerSession = crowd, connectionsPerAddress = crowd } = explained?.limits ?? {}
  const isSession = role.session !== undefined || (explained !== undefined && hasCredential(role))
  const most = isSession ? Math.min(connectionsPerSession, connectionsPerAddress) : connectionsPerAddress
  const attack = `${most + 1} sockets at once`
  if (most > 1_000) {
    stage.skip(attack, 'the limit is that high')
    return
  }
  const address = stage.freshAddress
  const entries = []
  for (let count = 0; count <= most; count++) entries.push(await stage.enter(role, { address }))
  const last = entries.at(-1)
  await Promise.all(entries.map(({ probe }) => probe?.leave()))
  const open = entries.every(({ probe }) => probe?.closed === undefined || probe.closed === 1006)
  const admitted = last?.probe !== undefined && open
  stage.note(
    name,
    undefined,
    attack,
    last?.refused ?? (admitted ? 'admitted' : 'closed'),
    admitted ? 'crowd' : undefined,
  )
}
