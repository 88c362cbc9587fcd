import { createDenialLedger } from '../session/denial-ledger.ts'
import { type Denial, type DenialSubject, defaultClockSkew } from '../session/denials.ts'
import { createArrivals } from './arrival.ts'
import { boundStores } from './bounded-stores.ts'
import { type Bus, controlTopic, roomTopic } from './bus.ts'
import { leaveBus, useBus } from './bus-users.ts'
import { createCatchUp } from './catch-up.ts'
import type { RelayMessage } from './envelope.ts'
import { createOwnWords, freshName } from './own-words.ts'
import { createReadiness } from './readiness.ts'
import { aboutDenials, createSender, topicOf } from './sender.ts'
import { createSubscriptions } from './subscriptions.ts'

export type { RelayMessage } from './envelope.ts'

export type RelayStage = 'subscribe' | 'publish' | 'delivery' | 'catch-up'

export interface RelayOptions {
  readonly bus: Bus
  /** Unique per start of a node; drawn unless given. */
  readonly nodeId?: string
  readonly now?: () => number
  /** A message of another node, or a denial this node had not heard of. What it throws goes to `onFailure('delivery')`. */
  readonly onMessage: (message: RelayMessage) => void
  /** After the bus was away and everything is caught up: the moment to ask about every open session again. */
  readonly onCaughtUp?: () => void
  /** The one place failures go to: nothing here throws into `send()`. The error never contains what came over the wire. */
  readonly onFailure: (stage: RelayStage, error: unknown) => void
  /**
   * A copy of this process speaks under its name: this node has another one from now on. What is kept elsewhere under the old
   * name is the copy's, too.
   */
  readonly onTwin?: (nodeId: string) => void
  /** Something on the bus is from no node of ours; the reason is a sentence of ours. */
  readonly onRefused: (reason: string) => void
  /** Told how old an envelope was when it came, in ms, by the clocks of both nodes. */
  readonly onAge?: ((age: number) => void) | undefined
  /** How often the store is asked for denials that a lost message did not tell of. Default 15,000 ms. */
  readonly catchUpEvery?: number
  /** How long an answer of the store may take, in ms. Default 5,000. */
  readonly storeDeadline?: number
}

export interface Relay {
  readonly nodeId: string
  /** False while the bus is away, or until this node has caught up: whoever depends on a session is refused meanwhile. */
  readonly ready: boolean
  /** Resolves after the first attempt, whether it worked (`ready`) or not, and after 3 s at the latest; goes on trying until `close()`. Never rejects. */
  start(): Promise<void>
  /** For the first local member of a room. What is published elsewhere until the bus confirms is not heard (at most once). */
  joinTopic(room: string): void
  /** For the last local member that leaves. */
  leaveTopic(room: string): void
  /**
   * To the other nodes only: local delivery is the caller's and has not waited. Never throws or rejects; true once the bus has
   * taken it, or when nobody else listens.
   */
  publish(message: RelayMessage): Promise<boolean>
  /**
   * In force on this node before the call returns (`onMessage` has heard of it), then kept in the store and told to the others.
   * True: kept for every node. False: there is no store, or it is away; it is put there, and told, when it comes back, and
   * once more at `close()`.
   */
  deny(...denials: readonly Denial[]): Promise<boolean>
  /** From memory, so it can be asked once more after every wait of a handshake. */
  findDenial(subject: DenialSubject, since?: number): Denial | undefined
  /** Unsubscribes; the last relay in this process that uses the bus closes it. */
  close(): Promise<void>
}

export function createRelay(options: RelayOptions): Relay {
  const {
    bus,
    nodeId = freshName(),
    now = () => Date.now(),
    onMessage,
    onCaughtUp,
    onFailure,
    onTwin,
    onRefused,
    onAge,
    catchUpEvery = 15_000,
    storeDeadline,
  } = options
  const { clockSkew = defaultClockSkew } = bus
  const store = bus.stores && boundStores(bus.stores, storeDeadline).denials
  const own = createOwnWords(nodeId)
  const judge = createArrivals({ own, clockSkew, keys: () => bus.secret })
  const ledger = createDenialLedger(clockSkew)
  const sender = createSender({ bus, own, now })
  let phase: 'new' | 'started' | 'closing' | 'closed' = 'new'

  const receive = (room: string | undefined, topic: string, payload: string): void => {
    if (phase !== 'started') return
    const arrival = judge(topic, room, payload, now(), performance.now())
    if ('echo' in arrival) return
    if ('refused' in arrival) {
      onRefused(arrival.refused)
      return
    }
    if (arrival.isTwin) separate()
    if (arrival.isRepeated) onRefused('replayed')
    else onAge?.(arrival.age)
    hear(arrival.message)
  }

  let separatedAt = Number.NEGATIVE_INFINITY

  /** Third nodes refuse one of two envelopes that have one name and one number: no two nodes may share a name for long. */
  const separate = (): void => {
    // Envelopes of the twin under the old name go on arriving for a while.
    if (performance.now() - separatedAt < 2 * clockSkew) return
    separatedAt = performance.now()
    own.rename(freshName())
    onFailure('delivery', new Error('a copy of this process speaks under its name: it has taken another one'))
    onTwin?.(own.name)
  }

  const hear = (message: RelayMessage): void => {
    if (message.kind === 'room' || message.verb === 'reauthorize') deliver(message)
    else if (message.verb === 'close') learn(message.subjects)
    else catchUp.answer(message.subjects)
  }

  const deliver = (message: RelayMessage): void => {
    try {
      onMessage(message)
    } catch (error) {
      onFailure('delivery', error)
    }
  }

  const learn = (denials: readonly Denial[]): void => {
    const time = now()
    // One that has just ended is kept for a while: a store whose clock is behind ours still counts it.
    const news = denials.filter(
      (denial) => denial.until > time - clockSkew && ledger.put(denial, time) && denial.until > time,
    )
    if (news.length > 0) deliver({ kind: 'identity', verb: 'close', subjects: news })
  }

  const subscriptions = createSubscriptions({ bus, receive, onFailure: (error) => onFailure('subscribe', error) })

  const publish = async (message: RelayMessage): Promise<boolean> => {
    if (phase !== 'started' && phase !== 'closing') return false
    const topic = topicOf(message)
    const own = subscriptions.has(topic) ? 1 : 0
    if (bus.audience !== undefined && bus.audience(topic) <= own) return true
    try {
      await sender.send(message)
      return true
    } catch (error) {
      onFailure('publish', error)
      return false
    }
  }

  const tell = (denials: readonly Denial[]): void => {
    for (const message of aboutDenials('close', denials)) void publish(message)
  }

  const doubt = (denials: readonly Denial[]): void => {
    for (const message of aboutDenials('doubt', denials)) void publish(message)
  }

  const catchUp = createCatchUp({
    store,
    ledger,
    now,
    learn,
    tell,
    doubt,
    onFailure: (error) => onFailure('catch-up', error),
  })

  const reported = async (stage: RelayStage, step: () => Promise<void>): Promise<void> => {
    try {
      await step()
    } catch (error) {
      if (phase === 'started') onFailure(stage, error)
      throw error
    }
  }

  const readiness = createReadiness({
    bus,
    every: () => (catchUp.unsettled ? Math.min(1_000, catchUpEvery) : catchUpEvery),
    async recover() {
      // Listen first, then read: what is denied between the two is heard, what was denied before is read.
      await reported('subscribe', () => subscriptions.settle(controlTopic))
      await reported('catch-up', catchUp.reconcile)
    },
    async refresh() {
      await reported('catch-up', catchUp.read)
      subscriptions.settleAll()
    },
    onReady() {
      subscriptions.settleAll()
      onCaughtUp?.()
    },
  })

  const underWay = new Set<Promise<void>>()

  const track = (writing: Promise<void>): Promise<void> => {
    underWay.add(writing)
    writing.catch(() => {}).finally(() => underWay.delete(writing))
    return writing
  }

  /** The last chance of what the store has refused: this node is the only one that knows it. */
  const storeTheRest = async (): Promise<void> => {
    await inTime(Promise.allSettled([...underWay]))
    const lost = (await inTime(catchUp.storeMissed())) ?? catchUp.unstored
    if (lost === 0) return
    onFailure(
      'catch-up',
      new Error(`${lost} revocations are not stored, and lost with this node unless another one knows them`),
    )
  }

  return {
    get nodeId() {
      return own.name
    },
    get ready() {
      return readiness.ready
    },
    async start() {
      if (phase !== 'new') return
      phase = 'started'
      useBus(bus)
      subscriptions.want(controlTopic, undefined)
      // Not for longer: an application that has to read a million of them starts, and refuses until it has.
      await inTime(readiness.start())
    },
    joinTopic: (room) => subscriptions.want(roomTopic(room), room),
    leaveTopic: (room) => subscriptions.unwant(roomTopic(room)),
    publish,
    async deny(...denials) {
      learn(denials)
      if (store === undefined) {
        tell(denials)
        return false
      }
      const stored = track(store.deny(...denials))
      // At once, because it is urgent; and again once it is stored: a node that subscribed after the first and read the
      // store before the second would know of neither. Those who know already ignore it.
      tell(denials)
      try {
        await stored
      } catch (error) {
        for (const denial of denials) catchUp.missed(denial)
        onFailure('publish', error)
        return false
      }
      tell(denials)
      return true
    },
    findDenial: (subject, since) => ledger.find(subject, now(), since),
    async close() {
      if (phase === 'closing' || phase === 'closed') return
      const wasStarted = phase === 'started'
      phase = wasStarted ? 'closing' : 'closed'
      if (wasStarted) await storeTheRest()
      phase = 'closed'
      readiness.stop()
      await catchUp.stop()
      await subscriptions.close()
      if (wasStarted) await leaveBus(bus)
    },
  }
}

/** How long a node that starts or stops waits for its store, in ms. */
const lastWait = 3_000

async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, lastWait, undefined)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
