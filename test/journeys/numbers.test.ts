import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { basic, cookieSession, memoryTickets, type SecureWsOptions, ticket } from '../../src/index.ts'
import { defaultLimits } from '../../src/options/limits.ts'

// D4: `limits: { handshake: 2 ** 31 }` made every handshake that waits a 503, because timers are 32 bit.

type Path = readonly string[]

function* leaves(value: object, path: Path = []): Generator<Path> {
  for (const [key, each] of Object.entries(value)) {
    if (typeof each === 'object' && each !== null) yield* leaves(each, [...path, key])
    else if (typeof each === 'number') yield [...path, key]
  }
}

/** The options with one value in one place. */
function put(path: Path, value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = path
  return { [first]: rest.length === 0 ? value : put(rest, value) }
}

/** What registration says to it, and to a route of it. */
async function complaint(options: Record<string, unknown>, route: Record<string, unknown> = {}): Promise<string> {
  const app = Fastify()
  try {
    await app.register(secureWs, { authenticate: false, ...options } as object as SecureWsOptions)
    app.get('/ws', { websocket: true, secureWs: route } as object, () => {})
    return ''
  } catch (error) {
    assert.equal(Reflect.get(Object(error), 'code'), 'SWS_BAD_OPTION', String(error))
    return String(error)
  } finally {
    await app.close()
  }
}

const never = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53, '5', 5n, null, true, [5]]
const most = 2 ** 31 - 1
/** What another number must fit to. */
const beside: Readonly<Record<string, Record<string, unknown>>> = {
  'limits.messageBytes': { bytes: { burst: most } },
  'limits.heartbeat.timeout': { heartbeat: { every: most, timeout: most } },
}

const limits = [...leaves(defaultLimits)].map((path) => ['limits', ...path])
test('the limits are all there', () => assert.ok(limits.length >= 27))

for (const path of [...limits, ['session', 'revalidateEvery'], ['session', 'expiryGrace']]) {
  const name = path.join('.')
  test(`${name} takes what a timer can wait, and nothing else`, async () => {
    for (const value of never)
      assert.match(await complaint(put(path, value)), new RegExp(`option \`${name}\``), String(value))
    if (path[0] === 'limits') assert.match(await complaint(put(path, 0)), new RegExp(`option \`${name}\``))
    if (name === 'limits.messageDepth') return
    const fine =
      beside[name] === undefined ? put(path, most) : { limits: { ...put(path.slice(1), most), ...beside[name] } }
    assert.equal(await complaint(fine), '')
  })
}

const text = { type: 'object', properties: {} }
const rules = (rule: object) => ({ receives: { say: { schema: text, ...rule } } })
const secret = 'a secret of thirty-two bytes here'
const elsewhere: readonly (readonly [name: string, build: (value: never) => unknown])[] = [
  ['replay.window', (window) => complaint({}, rules({ replay: { window } }))],
  ['freshAuth', (freshAuth) => complaint({}, rules({ freshAuth }))],
  ['cookieSession.cookie.maxAge', (maxAge) => cookieSession({ secret, load: () => null, cookie: { maxAge } })],
  ['memoryTickets.max', (max) => memoryTickets({ max })],
  ['memoryTickets.maxPerSession', (maxPerSession) => memoryTickets({ maxPerSession })],
  ['basic.refuseEvery', (refuseEvery) => basic({ verify: () => null, refuseEvery })],
  ['ticket.ttl', (ttl) => ticket({ ttl } as object)],
  ...(['threads', 'queue', 'inputBytes', 'timeLimit', 'cache'] as const).map(
    (key) => [`sanitize.${key}`, (value: never) => complaint({ sanitize: { [key]: value } })] as const,
  ),
]
for (const [name, build] of elsewhere) {
  test(`${name} has bounds`, async () => {
    for (const value of [...never, 0.5]) {
      const said = await Promise.try(() => build(value as never)).catch((error: unknown) => String(error))
      assert.match(String(said), /fastify-secure-ws: option/, `${name}: ${String(value)}`)
    }
  })
}
