import { callerOf } from '../caller.ts'
import type { Clock } from '../clock.ts'
import type { ExplainedRoute } from '../door.ts'
import { maskedFrame } from '../frame.ts'
import { pipeTo } from '../inject.ts'
import { clientOver, opened } from '../shake.ts'
import { fieldsOf, textOf } from './hostile-message.ts'
import { rightMessageOf } from './right-message.ts'
import type { Role } from './role.ts'
import type { Stage, Target } from './stage.ts'

/** Larger than any message of a conversation, where nothing says how large one may be. */
const huge = 8 * 1024 * 1024
/** More than a person types. */
const many = 1_000
/** More than any server should keep for one client that does not read. */
const unread = 8 * 1024 * 1024
const minute = 60_000
const withoutClock = 'it takes time: write `clock: takeClock()`, taken before the application was built'

/** What a socket can do to the server as a whole. */
export async function attackSocket(
  stage: Stage,
  name: string,
  role: Role,
  targets: readonly Target[],
  clock: Clock | undefined,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const target = targets.find(({ sample }) => sample !== undefined)
  await oversize(stage, name, role, target, explained)
  if (target !== undefined) {
    await flood(stage, name, role, target, explained)
    await deaf(stage, name, role, target, clock, explained)
  }
  await halfMessage(stage, name, role, clock, explained)
  await resets(stage, name, role)
}

async function oversize(
  stage: Stage,
  name: string,
  role: Role,
  target: Target | undefined,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const size = explained === undefined ? huge : explained.limits.messageBytes + 1
  const attack = `a message of ${size} bytes`
  const text = target === undefined ? '{}' : textOf(rightMessageOf(stage, target, target.sample ?? {}))
  const outcome = await stage.on(role, async (probe) => {
    // White space is nothing to JSON: of a message that is right, only the size is wrong.
    probe.socket.send(text + ' '.repeat(Math.max(0, size - text.length)))
    const isRead = await probe.isRead(5_000)
    return { isRead, closed: probe.closed }
  })
  if (outcome === undefined) return
  const { isRead, closed } = outcome
  stage.note(
    name,
    undefined,
    attack,
    closed === undefined ? (isRead ? 'taken' : 'not read') : `closed with ${closed}`,
    isRead ? 'oversize' : undefined,
  )
}

async function flood(
  stage: Stage,
  name: string,
  role: Role,
  target: Target,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const { burst = many, perSecond = 0 } = explained?.limits.messages ?? {}
  const count = Math.ceil(burst + perSecond * 2) + 50
  const attack = `${count} messages at once`
  if (count > 20_000) {
    stage.skip(attack, 'the limit is that high')
    return
  }
  const outcome = await stage.on(role, async (probe) => {
    const from = probe.texts.length
    const text = textOf(rightMessageOf(stage, target, target.sample ?? {}))
    for (let sent = 0; sent < count; sent++) probe.socket.send(text)
    await probe.isRead(5_000)
    await probe.quiet()
    const answers = probe.texts.slice(from)
    return {
      slowed: answers.some((each) => /TOO_FAST|429|rate/i.test(each)),
      answers: answers.length,
      closed: probe.closed,
    }
  })
  if (outcome === undefined) return
  const { slowed, answers, closed } = outcome
  if (closed === undefined && !slowed && answers < count) {
    stage.skip(attack, `${answers} answers came, so nobody can tell whether the rest was dropped`)
    return
  }
  const taken = closed === undefined && !slowed
  stage.note(
    name,
    target.type,
    attack,
    closed !== undefined ? `closed with ${closed}` : slowed ? 'slowed down' : 'all taken',
    taken ? 'flood' : undefined,
  )
}

/** Over a pipe without a kernel in between: what the client does not read is in the memory of the server at once. */
async function deaf(
  stage: Stage,
  name: string,
  role: Role,
  target: Target,
  clock: Clock | undefined,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const attack = 'a client that never reads'
  const caller = await callerOf(stage.app, role.path ?? stage.path, stage.callerOptions(role))
  const { client, server } = pipeTo(stage.app, caller)
  const socket = clientOver(client, caller)
  socket.on('error', () => {})
  try {
    await opened(socket, caller)
    socket.pause()
    client.pause()
    const text = textOf(rightMessageOf(stage, target, largest(target)))
    const burst = explained?.limits.messages.burst ?? Math.ceil((2 * unread) / Math.max(text.length, 64))
    for (let sent = 0; sent < Math.min(burst, 20_000) && !server.destroyed; sent++) {
      socket.send(text)
      if (sent % 50 === 0) await stage.pause(0)
    }
    const kept = await settled(stage, () => server.writableLength)
    // What may stay is little; and what is little must not stay for ever.
    await clock?.advance((explained?.limits.writeTimeout ?? minute) * 2 + 5_000)
    const isOver = server.destroyed || server.writableEnded
    const isHole = kept > unread || clock !== undefined
    if (isOver) stage.note(name, undefined, attack, 'closed')
    else if (kept === 0) stage.skip(attack, 'nothing comes back, so nothing is kept')
    else if (isHole) stage.note(name, undefined, attack, `${kept} bytes kept`, 'deaf-reader')
    else stage.skip(attack, withoutClock)
  } catch {
    stage.skip(attack, 'the role was not let in over a pipe')
  } finally {
    socket.terminate()
    client.destroy()
  }
}

/** A number that has stopped growing: what is sanitized first comes in time of its own. */
async function settled(stage: Stage, count: () => number): Promise<number> {
  for (let last = -1, left = 30; left > 0; left--) {
    if (count() === last) return last
    last = count()
    await stage.pause(stage.patience)
  }
  return count()
}

/** The sample, with its first free text as long as it may be. */
function largest({ schema, sample = {} }: Target): Readonly<Record<string, unknown>> {
  const free = fieldsOf(schema, sample).find(({ schema: field }) => {
    return (
      field.type === 'string' && field.format === undefined && field.pattern === undefined && field.enum === undefined
    )
  })
  if (free === undefined) return sample
  const { maxLength } = free.schema
  return free.set('x'.repeat(Math.min(typeof maxLength === 'number' ? maxLength : 16_384, 16_384)))
}

async function halfMessage(
  stage: Stage,
  name: string,
  role: Role,
  clock: Clock | undefined,
  explained: ExplainedRoute | undefined,
): Promise<void> {
  const kinds = [
    ['half a frame, and then nothing', maskedFrame('{"type"', { declared: 100 })],
    ['half a message, and then nothing', maskedFrame('{"type"', { fin: false })],
  ] as const
  for (const [attack, bytes] of kinds) {
    if (clock === undefined) {
      stage.skip(attack, withoutClock)
      continue
    }
    const { probe } = await stage.enter(role)
    if (probe === undefined) return
    probe.stream.write(bytes)
    await stage.pause(20)
    await clock.advance((explained?.limits.partialMessage ?? 10 * minute) * 2 + 5_000)
    const closed = await probe.until(500, () => probe.closed)
    await probe.leave()
    stage.note(
      name,
      undefined,
      attack,
      closed === undefined ? 'waited for' : `closed with ${closed}`,
      closed === undefined ? 'half-message' : undefined,
    )
  }
}

/** At three moments; afterwards somebody else must still be served. */
async function resets(stage: Stage, name: string, role: Role): Promise<void> {
  for (const bytes of [Buffer.alloc(0), maskedFrame('{"type"', { declared: 100 }), maskedFrame('{"type":"x"}')]) {
    const { probe } = await stage.enter(role)
    if (probe === undefined) return
    probe.stream.write(bytes)
    const reset: unknown = Reflect.get(probe.stream, 'resetAndDestroy')
    if (typeof reset === 'function') Reflect.apply(reset, probe.stream, [])
    await probe.leave()
  }
  const { probe, refused } = await stage.enter(role)
  const isServed = probe !== undefined && (await probe.isRead(2_000))
  await probe?.leave()
  stage.note(
    name,
    undefined,
    'connections that are reset',
    isServed ? 'others are served' : (refused ?? 'nobody is served'),
    isServed ? undefined : 'reset',
  )
}
