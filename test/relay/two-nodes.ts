import type { Bus } from '../../src/relay/bus.ts'
import {
  createRelay,
  type Relay,
  type RelayMessage,
  type RelayOptions,
  type RelayStage,
} from '../../src/relay/relay.ts'

/** A relay that remembers what it was told. */
export interface Listening {
  readonly relay: Relay
  readonly heard: RelayMessage[]
  readonly failures: { stage: RelayStage; reason: string }[]
  /** The reasons of what came from no node. */
  readonly refused: string[]
  /** How often it caught up. */
  caughtUp: number
  frames(): string[]
}

export function listening(bus: Bus, options: Partial<RelayOptions> = {}): Listening {
  const node: Listening = {
    heard: [],
    failures: [],
    refused: [],
    caughtUp: 0,
    frames: () => node.heard.flatMap((message) => (message.kind === 'room' ? [message.frame] : [])),
    relay: createRelay({
      bus,
      onMessage: (message) => node.heard.push(message),
      onCaughtUp: () => {
        node.caughtUp++
      },
      onFailure: (stage, error) =>
        node.failures.push({ stage, reason: error instanceof Error ? error.message : String(error) }),
      onRefused: (reason) => void node.refused.push(reason),
      ...options,
    }),
  }
  return node
}
