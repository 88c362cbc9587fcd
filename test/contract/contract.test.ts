import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { z } from 'zod'
import { afterClose } from '../../src/client/after-close.ts'
import { ofEveryRoute } from '../../src/contract/protocol.ts'
import { CloseCode, handshakeRefusals, messageRefusals } from '../../src/errors.ts'
import secureWs, {
  basic,
  bearer,
  clientCertificate,
  cookieSession,
  fromRequest,
  socketRoute,
  ticket,
} from '../../src/index.ts'
import { parse } from './asyncapi.ts'
import { schemaAt } from './reader.ts'

const secret = randomBytes(32).toString('base64')
const canary = 'canary-of-the-contract'

const tree = {
  type: 'object',
  $defs: {
    Node: {
      type: 'object',
      properties: { name: { type: 'string' }, below: { type: 'array', items: { $ref: '#/$defs/Node' } } },
      required: ['name'],
    },
  },
  properties: { top: { $ref: '#/$defs/Node' } },
  $comment: canary,
}
const signedIn = cookieSession({ secret, load: () => ({ id: canary }) })
const { publicKey } = generateKeyPairSync('ed25519')
const byToken = bearer({ key: publicKey, algorithms: ['EdDSA'], issuer: 'https://i.example', audience: 'a' })

let app: FastifyInstance

before(async () => {
  app = Fastify()
  await app.register(secureWs, {
    origins: ['https://app.example', `https://${canary}.example`],
    authenticate: [ticket(), signedIn, byToken, basic({ verify: () => null }), clientCertificate({ load: () => null })],
    limits: { connectionsPerAddress: 1_234_567 },
  })
  const shared = { type: 'object', properties: { text: { type: 'string', sanitize: ['trim'] } }, required: ['text'] }
  app.get(
    '/rooms/:id/:part(^\\d+)',
    {
      websocket: true,
      secureWs: socketRoute({
        authorize: () => canary.length > 1,
        protocols: ['chat.v1'],
        binary: ['image/png'],
        receives: {
          say: {
            schema: shared,
            reply: { type: 'number' },
            rate: { perSecond: 5, burst: 10 },
            replay: { window: 1_000 },
          },
          'find:all': { schema: Type.Object({}), reply: tree, authorize: () => true, freshAuth: 60_000 },
          grow: { schema: tree },
          either: { schema: z.union([z.object({ a: z.string() }), z.object({ b: z.number() })]) },
        },
        sends: {
          said: { schema: { ...shared, title: 'Said', description: 'Somebody said it.' } },
          '*/ ${1} "': { schema: Type.Object({ html: Type.String({ contentMediaType: 'text/html' }) }) },
          grown: { schema: tree },
          confirm: { schema: shared, reply: { type: 'boolean' } },
          graft: { schema: tree, reply: tree },
        },
      }),
    },
    () => {},
  )
  app.get('/raw', { websocket: true, secureWs: { authenticate: false } }, () => {})
  app.get('/raw-', { websocket: true, secureWs: { authenticate: fromRequest(() => null) } }, () => {})
  app.get('/', { websocket: true, secureWs: { receives: {} } }, () => {})
  app.get('/files/*', { websocket: true, secureWs: { binary: ['image/png'], sends: {} } }, () => {})
  app.secureWs.guard('/yjs', { authenticate: false })
  await app.ready()
})
after(() => app.close())

test('the AsyncAPI parser finds nothing wrong with it, and reads each message', async () => {
  const contract = app.secureWs.contract({ title: 'Chat', version: '2.1.0', server: 'wss://app.example/ws' })
  const { document, objections } = await parse(JSON.stringify(contract))
  assert.deepEqual(objections, [])
  assert.ok(document)
  const addresses = document
    .channels()
    .all()
    .map((channel) => channel.address())
  assert.deepEqual(addresses, ['/rooms/{id}/{part}', '/raw', '/raw-', '/', '/files/{wildcard}'])
  const sent = document
    .operations()
    .filterByReceive()
    .flatMap((operation) => operation.messages().all())
  assert.deepEqual(sent.map((message) => message.name()).slice(0, 4), ['say', 'find:all', 'grow', 'either'])
  assert.equal(document.servers().all()[0]?.url(), 'wss://app.example/ws')
})

test('it tells nobody what is no business of a client', () => {
  const text = JSON.stringify(app.secureWs.contract())
  const hash = createHash('sha256').update(secret).digest('hex')
  for (const none of [
    canary,
    secret,
    hash,
    'app.example',
    'i.example',
    '1234567',
    '$comment',
    'yjs',
    '=>',
    'function',
  ]) {
    assert.ok(!text.includes(none), none)
  }
  // Near misses, which a client needs.
  for (const one of ['__Host-session', 'chat.v1', 'Somebody said it.', 'ticket.<ticket>'])
    assert.ok(text.includes(one), one)
})

test('operations name the credentials that it knows, one of which is enough', () => {
  const { operations, components } = app.secureWs.contract()
  const methods = (operation: string) =>
    (schemaAt(operations, [operation, 'security']) as { $ref: string }[] | undefined)?.map(({ $ref }) =>
      $ref.split('/').at(-1),
    )
  const all = ['ticket', 'cookieSession', 'bearer', 'basic', 'clientCertificate']
  assert.deepEqual(methods('rooms_id_part_d.receive.say'), all)
  assert.deepEqual(methods('raw.receive.frame'), undefined)
  assert.ok('raw-.receive.frame' in operations)
  assert.deepEqual(methods('raw-.receive.frame'), undefined)
  assert.deepEqual(components.securitySchemes?.cookieSession, {
    type: 'httpApiKey',
    in: 'cookie',
    name: '__Host-session',
  })
})

test('a message says its envelope, its rate and the codes it may be refused with', () => {
  const { components } = app.secureWs.contract()
  const { messages = {} } = components
  const say = messages['rooms_id_part_d.receive.say']
  assert.deepEqual(schemaAt(say, ['payload', 'required']), ['type', 'nonce', 'at', 'text'])
  assert.deepEqual(schemaAt(say, ['payload', 'properties', 'text']), { type: 'string', 'x-sanitize': ['trim'] })
  assert.deepEqual(schemaAt(say, ['x-secure-ws', 'rate']), { perSecond: 5, burst: 10 })
  assert.deepEqual(schemaAt(say, ['x-secure-ws', 'refusals']), [
    ...['SWS_INVALID_MESSAGE', 'SWS_TOO_FAST', 'SWS_NO_LISTENER', 'SWS_REPLAYED', 'SWS_TIMEOUT', 'SWS_INTERNAL'],
  ])
  const find = messages['rooms_id_part_d.receive.find_all']
  assert.deepEqual(schemaAt(find, ['name']), 'find:all')
  assert.ok((schemaAt(find, ['x-secure-ws', 'refusals']) as string[]).includes('SWS_FORBIDDEN'))
  const error = schemaAt(messages['rooms_id_part_d.error'], ['payload', 'properties', 'code', 'enum'])
  assert.deepEqual(error, [...messageRefusals])
  // A route with `sends` sends no value that is not declared.
  assert.ok(!('value' in Object(schemaAt(messages['rooms_id_part_d.reply.grow'], ['payload', 'properties']))))
})

test('the close codes and refusals are those of the client and of the page', () => {
  const said = ofEveryRoute.closeCodes as { readonly [code: string]: { readonly then: string } }
  assert.deepEqual(Object.fromEntries(Object.entries(said).map(([code, { then }]) => [code, then])), {
    ...Object.fromEntries(Object.entries(afterClose)),
  })
  assert.deepEqual(Object.keys(said).map(Number), Object.values(CloseCode))
  assert.deepEqual(Object.keys(ofEveryRoute.handshakeRefusals), Object.keys(handshakeRefusals))
})

test('what the author does to a schema later does not change the document', async () => {
  const mine = Fastify()
  await mine.register(secureWs, { authenticate: false })
  const schema = { type: 'object', properties: { a: { type: 'string' } } }
  mine.get('/', { websocket: true, secureWs: { receives: { say: { schema } }, sends: { said: { schema } } } }, () => {})
  const before = JSON.stringify(mine.secureWs.contract())
  Object.assign(schema.properties, { b: { type: 'string' } })
  assert.equal(JSON.stringify(mine.secureWs.contract()), before)
  await mine.close()
})

test('a server that is no URL of a WebSocket server is refused', () => {
  for (const server of ['https://app.example', 'app.example', '', 'javascript:1']) {
    assert.throws(() => app.secureWs.contract({ server }), { code: 'SWS_BAD_OPTION' }, server)
  }
})
