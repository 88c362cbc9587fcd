import { type HostileMessage, hostileMessages, runsIn, textOf, unknownType, withMarkup } from './hostile-message.ts'
import { likeness, type Outcome, type Probe } from './probe.ts'
import { rightMessage } from './report.ts'
import { id, rightMessageOf } from './right-message.ts'
import type { Role } from './role.ts'
import { attackPattern } from './slow-pattern.ts'
import type { Stage, Target } from './stage.ts'

/** A type, with somebody who may send it, and how that is told. */
interface Sendable {
  readonly target: Target
  readonly sample: Readonly<Record<string, unknown>>
  readonly name: string
  readonly role: Role
  /** What comes back after a right message, in an application that promises no answer. */
  readonly like: string | undefined
}

/** Who may send what; and, by somebody who may, everything that the declaration forbids. */
export async function attackMessages(
  stage: Stage,
  roles: Readonly<Record<string, Role>>,
  targets: readonly Target[],
): Promise<void> {
  for (const target of targets) {
    const sendable = await tryRoles(stage, roles, target)
    if (sendable === undefined) continue
    await foreignMessages(stage, roles, sendable)
    await hostile(stage, sendable)
    await markup(stage, sendable)
    await attackPattern(stage, sendable.name, sendable.role, target, sendable.sample)
  }
}

/** @returns somebody whose message was delivered */
async function tryRoles(
  stage: Stage,
  roles: Readonly<Record<string, Role>>,
  target: Target,
): Promise<Sendable | undefined> {
  const { type, sample } = target
  if (sample === undefined) return undefined
  // Of an application that promises no answer, somebody who may has to show first what an answer looks like.
  const entries = Object.entries(roles).sort(([, a], [, b]) => Number(isBarred(a, type)) - Number(isBarred(b, type)))
  let found: Sendable | undefined
  for (const [name, role] of entries) {
    const tried = await stage.on(role, async (probe) => {
      const text = textOf(rightMessageOf(stage, target, sample))
      if (stage.answers) return { outcome: await probe.say(text, id, undefined), like: undefined }
      if (found !== undefined) return { outcome: await probe.say(text, undefined, found.like), like: found.like }
      return firstAnswer(stage, probe, text)
    })
    if (tried === undefined) continue
    const { outcome, like } = tried
    const delivered = outcome.kind === 'delivered'
    stage.note(name, type, rightMessage, outcome.text, delivered && isBarred(role, type) ? 'missing-right' : undefined)
    if (delivered && !isBarred(role, type)) found ??= { target, sample, name, role, like }
  }
  if (found === undefined) {
    const because = stage.answers
      ? 'no role may send it: give one that may, or a body that its listener takes (`samples`)'
      : 'nothing comes back, so nobody can tell whether it was taken: give the application an answer to it'
    stage.skip(`messages of type ${type}`, because)
  }
  return found
}

/** Whatever comes after a right message is what an answer looks like here. */
async function firstAnswer(
  stage: Stage,
  probe: Probe,
  text: string,
): Promise<{ outcome: Outcome; like: string | undefined }> {
  const from = probe.texts.length
  probe.socket.send(text)
  const answer = await probe.until(stage.patience * 5, () => probe.texts[from])
  if (answer === undefined) return { outcome: { kind: 'silent', text: 'silent' }, like: undefined }
  return { outcome: { kind: 'delivered', text: 'delivered' }, like: likeness(answer) }
}

function isBarred({ may }: Role, type: string): boolean {
  return may !== undefined && !may.includes(type)
}

async function foreignMessages(
  stage: Stage,
  roles: Readonly<Record<string, Role>>,
  { target, like }: Sendable,
): Promise<void> {
  for (const [name, role] of Object.entries(roles)) {
    for (const { type, ...body } of role.foreignMessages ?? []) {
      if (type !== target.type) continue
      const text = textOf(rightMessageOf(stage, target, body))
      const outcome = await stage.on(role, (probe) => probe.say(text, stage.answers ? id : undefined, like))
      if (outcome === undefined) continue
      const delivered = outcome.kind === 'delivered'
      const attack = `about somebody else's: ${JSON.stringify(body)}`
      stage.note(name, type, attack, outcome.text, delivered ? 'foreign-message' : undefined)
    }
  }
}

async function hostile(stage: Stage, { target, sample, name, role, like }: Sendable): Promise<void> {
  const right = rightMessageOf(stage, target, sample)
  const all: HostileMessage[] = [...hostileMessages(right), unknownType(right)]
  for (const { attack, hole, text } of all) {
    const outcome = await stage.on(role, (probe) => probe.say(text, stage.answers ? id : undefined, like))
    if (outcome === undefined) continue
    stage.note(name, target.type, attack, outcome.text, outcome.kind === 'delivered' ? hole : undefined)
  }
}

/** In every text of the message; whatever comes back, to the sender or to somebody beside, is looked at. */
async function markup(stage: Stage, { target, sample, name, role }: Sendable): Promise<void> {
  for (const { at, text } of withMarkup(rightMessageOf(stage, target, sample), 'kit')) {
    const { probe: beside } = await stage.enter(role)
    const outcome = await stage.on(role, async (probe) => {
      const from = probe.texts.length
      await probe.say(text, stage.answers ? id : undefined, undefined)
      // What goes to a room comes after the answer, and markup after it was sanitized.
      const heard = () => [...probe.texts.slice(from), ...(beside?.texts ?? [])]
      const answered = heard().length
      await probe.until(300, () => (heard().length > answered ? true : undefined))
      await beside?.quiet()
      return heard()
    })
    await beside?.leave()
    if (outcome === undefined) continue
    const runs = outcome.some((each) => runsIn(each, 'kit'))
    const seen = runs
      ? 'comes back as markup'
      : outcome.some((each) => /kit/.test(each))
        ? 'comes back as text'
        : 'does not come back'
    stage.note(name, target.type, `markup in \`${at}\``, seen, runs ? 'markup' : undefined)
  }
}
