import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'
import { contractTypes } from '../../src/command/contract-types.ts'
import { root } from '../house/source-files.ts'
import { type Compiler, type Consumer, checkProject, compilers, createConsumer } from './consumer.ts'
import * as routes from './generated/routes.ts'

let consumer: Consumer
before(async () => {
  consumer = await createConsumer()
})
after(() => consumer.remove())

async function written(): Promise<string> {
  const app = Fastify()
  await app.register(secureWs, { authenticate: false })
  for (const [name, route] of Object.entries(routes)) {
    // The overloads are for a route at a time, and its types are what the other files are about.
    Reflect.apply(app.get, app, [`/${name}`, { websocket: true, secureWs: route }, () => {}])
  }
  const contract = app.secureWs.contract()
  await app.close()
  return contractTypes(JSON.stringify(contract))
}

for (const compiler of Object.keys(compilers) as Compiler[]) {
  test(`what is written for a client is what the server's types say, with TypeScript ${compiler}`, async () => {
    const files = new Map([['messages.ts', await written()]])
    for (const name of ['generated/check.ts', 'generated/routes.ts', 'expect.ts']) {
      files.set(name.split('/').at(-1) ?? name, await readFile(join(root, 'test/types', name), 'utf8'))
    }
    const { expected, found, text } = await checkProject(consumer, files, compiler, { skipLibCheck: true })
    assert.deepEqual(found, expected, text)
    assert.ok(expected.length > 4)
  })
}
