import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { doorOf, type ExplainedRoute } from '../door.ts'
import { textOf } from './hostile-message.ts'
import type { Probe } from './probe.ts'
import { rightMessageOf } from './right-message.ts'
import type { Role } from './role.ts'
import type { Stage, Target } from './stage.ts'

/** What a session may do once it is old, over, or copied. */
export async function attackSession(stage: Stage, name: string, role: Role, targets: readonly Target[]): Promise<void> {
  await signedOut(stage, name, role, targets)
  for (const target of targets) {
    if (target.once) await twice(stage, name, role, target)
    await notFresh(stage, name, role, target)
  }
}

/** The socket of somebody who has signed out must not go on; an application may close it, or refuse what comes. */
async function signedOut(stage: Stage, name: string, role: Role, targets: readonly Target[]): Promise<void> {
  const attack = 'a socket of somebody who has signed out'
  const door = doorOf(stage.app)
  const { session } = role
  // A copy: the role is needed for what comes after.
  const copy = session && door && role.signOut === undefined ? { ...session, id: otherId(session) } : undefined
  const signOut = role.signOut ?? (copy && door ? () => door.revoke({ sessionId: copy.id }) : undefined)
  if (signOut === undefined) {
    stage.skip(attack, 'write `signOut` for the role, which does what your application does')
    return
  }
  const own = copy === undefined ? role : { ...role, session: copy }
  const { probe } = await stage.enter(own)
  if (probe === undefined) {
    stage.skip(attack, `${name} does not get in with another session id: write \`signOut\` for the role`)
    return
  }
  if (!stage.answers) await probe.quiet()
  const before = await saysSomething(stage, probe, targets)
  await signOut()
  const closed = await probe.until(1_000, () => probe.closed)
  const goesOn = closed === undefined && before !== undefined && (await saysSomething(stage, probe, targets)) === before
  stage.note(
    name,
    undefined,
    attack,
    closed === undefined ? (goesOn ? 'goes on' : 'stays, unheard') : `closed with ${closed}`,
    goesOn ? 'stale-session' : undefined,
  )
  await probe.leave()
}

/** Of a session that nobody has revoked yet: attacks may be made more than once. */
function otherId({ id }: { readonly id: string }): string {
  return `${id}.${randomUUID()}`
}

/** The answer to the first message that has one, in its kind. */
async function saysSomething(stage: Stage, probe: Probe, targets: readonly Target[]): Promise<string | undefined> {
  for (const target of targets) {
    if (target.sample === undefined || probe.closed !== undefined) continue
    const from = probe.texts.length
    probe.socket.send(textOf(rightMessageOf(stage, target, target.sample)))
    const answer = await probe.until(stage.patience * 5, () => probe.texts[from])
    if (answer !== undefined) return answer.replaceAll(/\d+/g, '#')
  }
  return undefined
}

/** Takes a minute of the clock, after which the sessions of all roles are older: the last attack on a session. */
export async function expireSession(
  stage: Stage,
  name: string,
  role: Role,
  clock: Clock | undefined,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const { session } = role
  if (session === undefined || clock === undefined || explained === undefined) return
  const soon = { ...session, id: otherId(session), expiresAt: Date.now() + 60_000 }
  const { probe } = await stage.enter({ ...role, session: soon })
  if (probe === undefined) return
  await clock.advance(65_000)
  const closed = await probe.until(1_000, () => probe.closed)
  const attack = 'a socket whose session ends'
  stage.note(
    name,
    undefined,
    attack,
    closed === undefined ? 'goes on' : `closed with ${closed}`,
    closed === undefined ? 'expired-session' : undefined,
  )
  await probe.leave()
}

/** The very same bytes, on another connection: whoever has recorded them has no other. */
async function twice(stage: Stage, name: string, role: Role, target: Target): Promise<void> {
  const { type, sample } = target
  if (sample === undefined) return
  const text = textOf(rightMessageOf(stage, target, sample))
  const say = () =>
    stage.on(role, async (probe) => {
      if (stage.answers) return (await probe.say(text, 1, undefined)).text
      const from = probe.texts.length
      probe.socket.send(text)
      return probe.until(stage.patience * 5, () => probe.texts[from])
    })
  const first = await say()
  if (first === undefined || (stage.answers && !first.startsWith('delivered'))) return
  const second = await say()
  const again = second !== undefined && second.replaceAll(/\d+/g, '#') === first.replaceAll(/\d+/g, '#')
  stage.note(
    name,
    type,
    'the same message again',
    again ? 'delivered' : (second ?? 'silent'),
    again ? 'replayed' : undefined,
  )
}

async function notFresh(stage: Stage, name: string, role: Role, target: Target): Promise<void> {
  const { type, sample, freshAuth } = target
  if (sample === undefined || freshAuth === undefined) return
  const { session, stale } = role
  const old =
    stale !== undefined
      ? { ...role, headers: stale }
      : session && { ...role, session: { ...session, authenticatedAt: Date.now() - freshAuth - 60_000 } }
  if (old === undefined) {
    stage.skip(`an old session sends ${type}`, 'write `stale` for the role: headers of somebody who signed in long ago')
    return
  }
  const text = textOf(rightMessageOf(stage, target, sample))
  const outcome = await stage.on(old, (probe) => probe.say(text, 1, undefined))
  if (outcome === undefined) return
  stage.note(
    name,
    type,
    'from a session that signed in long ago',
    outcome.text,
    outcome.kind === 'delivered' ? 'no-step-up' : undefined,
  )
}
