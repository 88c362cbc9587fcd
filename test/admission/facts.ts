import fastify, { type FastifyRequest } from 'fastify'
import { said } from '../../src/admission/admission.ts'
import { type HandshakeFacts, type Peer, readHandshake } from '../../src/admission/handshake-request.ts'
import type { AdmissionPolicy } from '../../src/admission/policy.ts'
import type { Refusal } from '../../src/http/refusal.ts'

export interface Given {
  readonly method?: string
  readonly httpVersion?: string
  readonly target?: string
  /** Set over those of a correct handshake to app.example; `undefined` leaves the header out, a list repeats it. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly tls?: boolean
  readonly peerAddress?: string | undefined
  readonly peer?: Peer
}

const correct = {
  Host: 'app.example',
  Origin: 'https://app.example',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** The facts of a handshake that is correct except for what is given, read the way a request is read. */
export function factsOf(given: Given = {}): HandshakeFacts {
  const { method = 'GET', httpVersion = '1.1', target = '/ws', headers = {}, tls = true } = given
  const rawHeaders = Object.entries({ ...correct, ...headers }).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((each) => [name, each]),
  )
  const remoteAddress = 'peerAddress' in given ? given.peerAddress : '192.0.2.7'
  const socket = { remoteAddress, ...(tls && { encrypted: true }) }
  const peer = given.peer ?? { trusted: false, address: remoteAddress }
  return readHandshake({ method, httpVersion, url: target, headers: {}, rawHeaders, socket }, peer)
}

/** The first refusal of the steps that go by the request's own words. */
export function refusalOf(facts: HandshakeFacts, admission: AdmissionPolicy): Refusal | undefined {
  const request = { facts, policy: { admission } }
  for (const { check } of said) {
    const refusal = check(request)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

let kept: Promise<FastifyRequest> | undefined

/** A request of Fastify's own, for functions that pass one on. */
export function anyRequest(): Promise<FastifyRequest> {
  kept ??= (async () => {
    const { promise, resolve } = Promise.withResolvers<FastifyRequest>()
    const app = fastify()
    app.get('/', async (request) => {
      resolve(request)
      return ''
    })
    await app.inject('/')
    await app.close()
    return promise
  })()
  return kept
}
