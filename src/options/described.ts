import type { Authentication } from '../authentication/authentication.ts'
import type { ContractRoute, ContractRule } from '../contract/contract.ts'
import type { AnswerSchema } from '../inbound/answer.ts'
import { type InboundPolicy, pingType, type ReceiveRule, refreshType } from '../inbound/inbound.ts'
import { copySchema, type PlainSchema } from '../schema/plain-schema.ts'
import type { Limits } from './limits.ts'

/** The schemas of what leaves, as they were declared. */
export interface OutputSchemas {
  readonly sends: ReadonlyMap<string, PlainSchema> | undefined
  readonly replies: ReadonlyMap<string, PlainSchema>
}

/** Copies of schemas that were compiled before, for their clients: what the author's objects become later changes nothing. */
export function copyOutputs(
  receives: Readonly<Record<string, ReceiveRule>> | undefined,
  sends: Readonly<Record<string, { readonly schema: object }>> | undefined,
  path: string,
): OutputSchemas {
  return {
    sends:
      sends &&
      new Map(
        Object.entries(sends).map(([type, { schema }]) => [
          type,
          copySchema(schema, `${path}.sends.${type}.schema`, true),
        ]),
      ),
    replies: new Map(
      Object.entries(receives ?? {}).flatMap(([type, { reply }]) =>
        reply === undefined ? [] : [[type, copySchema(reply, `${path}.receives.${type}.reply`, true)]],
      ),
    ),
  }
}

interface Described {
  readonly url: string
  readonly authentication: Authentication
  readonly protocols: readonly string[] | undefined
  readonly encode: string
  readonly binary: readonly string[] | undefined
  readonly inbound: InboundPolicy
  readonly outputs: OutputSchemas
  readonly answers: ReadonlyMap<string, AnswerSchema>
  readonly limits: Limits
}

/** Limits that a client runs into by what it does on one socket. How many may connect, and from where, is nobody's but the server's. */
const ofClients = [
  ...(['messageBytes', 'messageDepth', 'messages', 'bytes', 'refusals'] as const),
  ...(['listener', 'heartbeat', 'partialMessage', 'idle', 'lifetime'] as const),
]

/** Picks from the policy of a route what its clients may know. */
export function describedRoute(route: Described): ContractRoute {
  const { url, authentication, protocols = [], encode, binary, inbound, outputs, answers, limits } = route
  const { schemes, anonymous, refreshable } = authentication
  return {
    ...{ url, schemes, anonymous, refreshable, protocols, encode, binary },
    receives: inbound.types && rulesOf(inbound.types, outputs.replies),
    sends: outputs.sends,
    answers: new Map([...answers].map(([type, { plain }]) => [type, plain])),
    limits: Object.fromEntries(ofClients.map((name) => [name, limits[name]])),
  }
}

function rulesOf(
  types: NonNullable<InboundPolicy['types']>,
  replies: ReadonlyMap<string, PlainSchema>,
): ReadonlyMap<string, ContractRule> {
  const declared = [...types].filter(([type]) => type !== refreshType && type !== pingType)
  return new Map(
    declared.map(([type, { rule }]) => {
      const { schema, authorize, pace, replayWindow, freshAuth } = rule
      const rate = pace && { perSecond: pace.perMillisecond * 1000, burst: pace.burst }
      const replay = replayWindow === undefined ? undefined : { window: replayWindow }
      return [
        type,
        { schema: schema.plain, reply: replies.get(type), authorize: authorize !== undefined, rate, replay, freshAuth },
      ]
    }),
  )
}
