import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Signer } from '@fastify/cookie'
import Fastify, { type FastifyInstance } from 'fastify'
import type { AuditEvent, SecureWsOptions } from '../../src/index.ts'
import secureWs from '../../src/index.ts'
import { testCertificate } from '../harness/certificate.ts'
import {
  type HandshakeText,
  handshakeText,
  type RawAnswer,
  type RawConnection,
  rawConnect,
} from '../harness/raw-client.ts'
import { pluginTimeout } from '../harness/server.ts'

/** Set over those of a handshake that is right; `undefined` leaves a header out, a list sends it more than once. */
export type HeaderChanges = Readonly<Record<string, string | readonly string[] | undefined>>

export interface Asked extends Omit<HandshakeText, 'headers'> {
  readonly headers?: HeaderChanges
}

export interface Journey {
  readonly app: FastifyInstance
  readonly port: number
  /** Every line the application logged, from `trace` up. */
  readonly lines: readonly string[]
  readonly events: readonly AuditEvent[]
  /** Refusals so far, newest last: the code and our own words. */
  readonly refusals: () => readonly (readonly [code: unknown, reason: string | undefined])[]
  /** The bytes of a handshake. */
  bytes(asked?: Asked): string
  /** One handshake on a connection that the test ends with. */
  open(asked?: Asked): Promise<{ readonly answer: RawAnswer; readonly connection: RawConnection }>
  /** One handshake, and hangs up. */
  ask(asked?: Asked): Promise<RawAnswer>
}

export interface JourneyOptions {
  readonly server?: object
  readonly tls?:
    | boolean
    | { readonly ca?: string; readonly requestCert?: boolean; readonly rejectUnauthorized?: boolean }
  /** Before the plugin is registered. */
  readonly before?: (app: FastifyInstance) => unknown
  readonly routes?: (app: FastifyInstance) => unknown
}

/** The whole plugin on a real port, as a client without a browser meets it. Everything ends with the test. */
export async function startJourney(
  t: TestContext,
  options: Partial<SecureWsOptions> = {},
  { server = {}, tls = false, before, routes = echo }: JourneyOptions = {},
): Promise<Journey> {
  const lines: string[] = []
  const events: AuditEvent[] = []
  const https = tls === false ? {} : { https: { ...(await testCertificate()), ...(tls === true ? {} : tls) } }
  const logger = { level: 'trace', stream: { write: (line: string) => lines.push(line) } }
  // As an `object`: with TLS options in sight the instance has another type, which the tests have no use for.
  const app: FastifyInstance = Fastify({
    logger,
    forceCloseConnections: true,
    pluginTimeout,
    ...https,
    ...server,
  } as object)
  const connections: RawConnection[] = []
  t.after(async () => {
    // Clients first: raw ones answer no close frame, and the server would wait for each.
    for (const connection of connections) connection.close()
    await app.close()
  })
  await before?.(app)
  await app.register(secureWs, { authenticate: false, ...options, audit: (event) => events.push(event) })
  await routes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { port } = address
  const right = { Host: `localhost:${port}`, Origin: `http${tls === false ? '' : 's'}://localhost:${port}` }
  const bytes = ({ headers = {}, ...rest }: Asked = {}) =>
    handshakeText({
      ...rest,
      headers: Object.entries({ ...right, ...headers }).flatMap(([name, value]) =>
        value === undefined ? [] : [value].flat().map((each) => [name, each] as const),
      ),
    })
  const open = async (asked?: Asked) => {
    const connection = await rawConnect({ port, tls: tls !== false })
    connections.push(connection)
    connection.write(bytes(asked))
    return { connection, answer: await connection.answer() }
  }
  return {
    app,
    port,
    lines,
    events,
    refusals: () =>
      events.filter(({ type }) => type === 'handshake.refused').map(({ code, reason }) => [code, reason] as const),
    bytes,
    open,
    async ask(asked) {
      const { answer, connection } = await open(asked)
      connection.close()
      return answer
    },
  }
}

function echo(app: FastifyInstance): void {
  app.get('/ws', { websocket: true }, (socket) => {
    socket.on('message', (frame) => socket.send(String(frame)))
  })
}

/** What a refusal says, and that it says nothing else (ASVS 3.4.1, 4.1.1, 13.4.6, 16.5.1). */
export function assertRefused(answer: RawAnswer, status: number, code: string, error?: string): void {
  const { headers, body, text } = answer
  assert.equal(answer.status, status, text)
  assert.doesNotMatch(text, /HTTP\/1\.1 101/)
  const said: unknown = JSON.parse(body)
  assert.ok(typeof said === 'object' && said !== null)
  assert.deepEqual(Object.keys(said).sort(), ['code', 'error', 'statusCode'])
  assert.equal(Reflect.get(said, 'statusCode'), status)
  assert.equal(Reflect.get(said, 'code'), code)
  if (error !== undefined) assert.equal(Reflect.get(said, 'error'), error)
  assert.equal(headers['content-type'], 'application/json; charset=utf-8')
  assert.ok(Number(/max-age=(\d+)/.exec(headers['strict-transport-security'] ?? '')?.[1]) >= 31_536_000)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.match(headers['content-security-policy'] ?? '', /frame-ancestors/)
  assert.equal(headers['referrer-policy'], 'no-referrer')
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(headers.connection?.toLowerCase(), 'close')
  assert.equal(headers['x-powered-by'], undefined)
  assert.equal(headers.server, undefined)
  assert.doesNotMatch(text, /fastify|node\/|\bws\/|\d+\.\d+\.\d+/i)
}

/** Resolves when the other end has closed this connection; a server that leaves it open fails the test. */
export function closedByServer({ socket }: RawConnection): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const patience = setTimeout(() => reject(new Error('the server left the connection open')), 30_000)
  const done = () => {
    clearTimeout(patience)
    resolve()
  }
  if (socket.destroyed || socket.readableEnded) done()
  socket.once('end', done)
  socket.once('close', done)
  socket.resume()
  return promise
}

/** The `Cookie` header of a session cookie with this id. */
export function cookieOf(secret: string | Buffer, id: string): string {
  return `__Host-session=${encodeURIComponent(new Signer(Buffer.from(secret)).sign(id))}`
}
