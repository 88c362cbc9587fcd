import { EventEmitter } from 'node:events'
import { Places } from '../../src/capacity/places.ts'
import type { Admitted } from '../../src/connection/admitted.ts'
import type { BinaryType } from '../../src/connection/binary-type.ts'
import { Connection } from '../../src/connection/connection.ts'
import type { Held } from '../../src/connection/held.ts'
import type { Block, FrameOptions, Port, PortOwner, SendCallback } from '../../src/connection/port.ts'
import { Scope } from '../../src/connection/scope.ts'
import type { Surroundings } from '../../src/connection/surroundings.ts'
import { createSweep } from '../../src/connection/sweep.ts'
import { createReplayGuard } from '../../src/inbound/replay.ts'
import { resolveOptions } from '../../src/options/options.ts'
import { compileRoute } from '../../src/options/route.ts'
import type { Outgoing } from '../../src/outbound/outbound.ts'
import type { SharedFrame } from '../../src/outbound/shared-frame.ts'
import { createIdentities } from '../../src/revocation/identities.ts'
import { createRevalidation } from '../../src/revocation/revalidation.ts'
import { createRooms } from '../../src/rooms/rooms.ts'
import type { AuditEntry } from '../../src/telemetry/audit.ts'

/** A port that leads nowhere, and a record of what was done with it. */
export class FakePort implements Port {
  readonly done: string[] = []
  readonly blocks = new Set<Block>()
  owner: PortOwner | undefined
  binaryType: BinaryType = 'nodebuffer'
  open = true
  behind = false
  midMessage = false
  waiting = 0
  written = 0
  readonly passing = false

  get reading(): boolean {
    return this.blocks.size === 0
  }

  /** The first half of a message has come. */
  begin(): void {
    this.midMessage = true
    this.owner?.begun()
  }

  /** Bytes wait that the kernel has not taken. */
  stall(bytes: number): void {
    this.waiting = bytes
    this.owner?.begun()
  }

  whenTaken(): void {}

  send({ payload }: Outgoing, _options: FrameOptions | undefined, callback: SendCallback | undefined): void {
    this.done.push(String(payload))
    callback?.()
  }

  writeFrame({ payload }: SharedFrame): boolean {
    this.done.push(String(payload))
    return true
  }

  ping(): void {
    this.done.push('ping')
  }

  pong(): void {
    this.done.push('pong')
  }

  closeFrame(code?: number): void {
    this.done.push(`close ${code}`)
  }

  terminate(): void {
    this.done.push('terminate')
  }

  block(why: Block): void {
    this.blocks.add(why)
  }

  unblock(why: Block): void {
    this.blocks.delete(why)
  }

  shape(bytes: Buffer): unknown {
    return bytes
  }
}

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** A connection of an anonymous client on a port that leads nowhere: everything else is the real part. */
export function connectionOn(port: FakePort, route: object = {}) {
  const time = { uptime: 0 }
  const heard: AuditEntry[] = []
  const settings = resolveOptions({ origins: ['https://app.example'], authenticate: () => null }, 0)
  const senders = { matter: false, as: <T>(_sender: object, work: () => T): T => work() }
  const { socket: policy, limits } = compileRoute('/ws', route, {
    settings,
    now: () => 0,
    replayGuard: createReplayGuard(),
    sanitizeHtml: (dirty) => dirty,
    sanitizeOutput: (dirty) => dirty,
    senders,
    warn: () => {},
  })
  const sweep = createSweep<Held>(
    1_000,
    () => time.uptime,
    () => {},
    (work) => work(),
  )
  const surroundings: Surroundings = {
    now: () => 0,
    uptime: () => time.uptime,
    scope: new Scope(),
    audit: (entry) => void heard.push(entry),
    observer: () => undefined,
    isHeard: () => true,
    expiryGrace: 0,
    memory: { add: () => {} },
    rooms: createRooms({ roomsPerSocket: 10 }),
    identities: createIdentities<Held>(),
    sweep,
    isDenied: () => false,
    revalidation: createRevalidation(300_000),
    isStale: () => false,
  }
  const admitted: Admitted = {
    signedIn: null,
    policy,
    request: {},
    log,
    method: 'anonymous',
    address: '192.0.2.1',
    origin: 'https://app.example',
    protocol: undefined,
    since: 0,
    places: new Places(),
  }
  const emitter = new EventEmitter()
  const connection = new Connection(() => '0123456789abcdefghijkl', emitter, port, admitted, surroundings)
  return {
    connection,
    emitter,
    limits,
    heard,
    time,
    surroundings,
    on(event: string, listener: (...args: never[]) => unknown) {
      emitter.on(event, listener as () => void)
      connection.listenerAdded(event)
    },
    receive: (text: string) => connection.frame(Buffer.from(text), false),
    /** A visit of the sweep, so many seconds after the one before. */
    visit(seconds = 1) {
      time.uptime += seconds * 1_000
      connection.sweep({ uptime: time.uptime, served: time.uptime, late: false, every: 1_000 })
    },
  }
}
