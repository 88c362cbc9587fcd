import type { FastifyInstance } from 'fastify'
import { type Clock, takeClock } from '../clock.ts'
import { routeAt } from '../door.ts'
import { attackHandshake } from './handshake-attacks.ts'
import type { HoleCode } from './hole.ts'
import { attackMessages } from './message-attacks.ts'
import { AttackReport } from './report.ts'
import type { Role } from './role.ts'
import { type AnySchema, isSchema, noSample, sampleOf } from './sample.ts'
import { attackSession, expireSession } from './session-attacks.ts'
import { attackSocket } from './socket-attacks.ts'
import { Stage, type Target } from './stage.ts'

/** The options of `attacks`. */
export interface AttackOptions {
  /** The people who use the route, by name: required, and at least one must get in. */
  readonly roles: Readonly<Record<string, Role>>
  /**
   * The messages of a route that declares none. `once`: the message must not count twice. Default: those that the route declares in
   * `receives`.
   */
  readonly messages?: Readonly<Record<string, { readonly schema: object; readonly once?: boolean }>>
  /** Bodies that fit, by message type, where none can be made from the schema. Default: made from the schema. */
  readonly samples?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Holes that are meant, each with the reason. Default: none. */
  readonly accept?: Readonly<Partial<Record<HoleCode, string>>>
  /**
   * A clock that was taken before the application was built, for attacks that take time. Default: one of its own, for as long as it
   * lasts; of an application without fastify-secure-ws they are not judged then.
   */
  readonly clock?: Clock
  /** How long an answer is waited for in an application that promises none, in ms. Default 100. */
  readonly patience?: number
}

/**
 * Attacks a route of your application: its handshake, its messages, its sockets, by everybody who uses it. What is tried is made from
 * the route's own declaration. The listeners of the application are called: let it be one that was built for the test.
 *
 *     const report = await attacks(app, '/chat', { roles: { ada: { session: { id: 's1', userId: 'ada' } } } })
 *     assert.deepEqual(report.holes, [], String(report))
 *
 * @throws Error when no role gets in: a route that refuses everybody proves nothing
 */
export async function attacks(app: FastifyInstance, path: string, options: AttackOptions): Promise<AttackReport> {
  await app.ready()
  const { roles, accept = {}, patience = 100 } = options
  if (!isSchema(roles) || Object.keys(roles).length === 0) {
    throw new TypeError(
      "attacks: write `roles: { ada: { session: { id: 's1', userId: 'ada' } } }`, somebody who gets in.",
    )
  }
  const route = routeAt(app, path)
  const declared = route?.described.receives
  const stage = new Stage(app, path, patience, declared !== undefined && options.messages === undefined)
  const targets = targetsOf(stage, declared, options)
  await refuseClosedDoor(stage, roles)
  // The one who was there before goes on with it; the timers of the plugin begin with its first socket.
  const clock = options.clock ?? (route === undefined ? undefined : takeClock())
  const stopCatching = catchUncaught((error) => stage.uncaught.push(error))
  try {
    for (const [name, role] of Object.entries(roles)) {
      await attackHandshake(stage, name, role, route?.explained)
      await attackSession(stage, name, role, targets)
    }
    const isGuard = route?.described.passesOn === true
    if (isGuard) stage.skip('messages and sockets', 'they are those of another server, behind a guard')
    else await attackMessages(stage, roles, targets)
    // From here on the clock is moved.
    for (const [name, role] of Object.entries(roles)) await expireSession(stage, name, role, clock, route?.explained)
    const [first] = Object.entries(roles)
    if (first !== undefined && !isGuard) await attackSocket(stage, ...first, targets, clock, route?.explained)
  } finally {
    stopCatching()
    if (clock !== options.clock) clock?.restore()
  }
  return new AttackReport(path, stage.rows, stage.notJudged, accept)
}

/** An error that would end the process is a finding, and the next attack is tried. */
function catchUncaught(note: (error: unknown) => void): () => void {
  if (process.hasUncaughtExceptionCaptureCallback()) return () => {}
  process.setUncaughtExceptionCaptureCallback(note)
  return () => process.setUncaughtExceptionCaptureCallback(null)
}

async function refuseClosedDoor(stage: Stage, roles: Readonly<Record<string, Role>>): Promise<void> {
  const refused: string[] = []
  for (const [name, role] of Object.entries(roles)) {
    const { probe, refused: code } = await stage.enter(role)
    if (probe === undefined) refused.push(`${name}: ${code}`)
    await probe?.leave()
  }
  if (refused.length === 0) return
  throw new Error(
    `attacks: ${refused.join(', ')}. A route that refuses everybody proves nothing: give each role a \`session\` or \`headers\` with which it gets into ${stage.path}, or a \`path\` of its own.`,
  )
}

interface DeclaredRule {
  readonly schema: unknown
  readonly replay?: unknown
  readonly freshAuth?: number | undefined
  readonly once?: boolean
}

function targetsOf(
  stage: Stage,
  declared: ReadonlyMap<string, DeclaredRule> | undefined,
  { messages, samples = {} }: AttackOptions,
): Target[] {
  const rules: readonly (readonly [string, DeclaredRule])[] =
    messages === undefined ? [...(declared ?? [])] : Object.entries(messages)
  if (rules.length === 0 && declared === undefined) {
    stage.skip(
      'messages',
      'the route declares none: write `messages: { say: { schema } }` with those that it understands',
    )
  }
  return rules.map(([type, { schema, replay, freshAuth, once = false }]) => {
    const known: AnySchema = isSchema(schema) ? schema : {}
    const made = Object.hasOwn(samples, type) ? samples[type] : sampleOf(known)
    const sample = made === noSample || !isSchema(made) ? undefined : made
    if (sample === undefined) {
      stage.skip(
        `messages of type ${type}`,
        `no body can be made from the schema: write \`samples: { ${type}: { ... } }\``,
      )
    }
    return { type, schema: known, sample, once: once || replay !== undefined, replay: replay !== undefined, freshAuth }
  })
}
