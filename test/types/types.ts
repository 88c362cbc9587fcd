import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { root } from '../house/source-files.ts'
import { type Compiler, type Consumer, checkProject, compilers, createConsumer, filesOf } from './consumer.ts'

let consumer: Consumer
before(async () => {
  consumer = await createConsumer()
})
after(() => consumer.remove())

const projects = readdirSync(join(root, 'test/types/projects'))

/**
 * Our declarations and what they need (Fastify, ws, jose ...) are checked once per compiler. TypeBox's, which only users have,
 * would take longer than everything else here together.
 */
const skipLibCheck = (project: string) => project !== 'websocket-first'

describe('a project compiles, but for the lines that must not', { concurrency: 2 }, () => {
  for (const project of projects) {
    for (const compiler of Object.keys(compilers) as Compiler[]) {
      test(`${project} with TypeScript ${compiler}`, async () => {
        const { expected, found, text } = await checkProject(consumer, await filesOf(project), compiler, {
          skipLibCheck: skipLibCheck(project),
        })
        assert.deepEqual(found, expected, text)
        assert.notEqual(expected.length, 0)
      })
    }
  }
})

test('each line that must not compile says which error is meant', async () => {
  for (const project of projects) {
    for (const [name, text] of await filesOf(project)) {
      assert.doesNotMatch(text, /@ts-expect-error(?! TS\d)|@ts-ignore|@ts-nocheck/, `${project}/${name}`)
    }
  }
})

// What could make everything above pass for nothing.
test('a mistake is seen: a line that should fail and does not, one that fails in another way, one that nobody announced', async () => {
  const lines = [
    "import Fastify from 'fastify'",
    "import type { Audience } from 'fastify-secure-ws'",
    'const app = Fastify()',
    '// @ts-expect-error TS2345',
    "app.secureWs.to('fits')",
    '// @ts-expect-error TS2345',
    'app.secureWs.too',
    'export const wrong: Audience = app.secureWs',
  ]
  const { expected, found } = await checkProject(consumer, new Map([['index.ts', lines.join('\n')]]), '7', {
    skipLibCheck: true,
  })
  assert.deepEqual(expected, ['index.ts:5 TS2345', 'index.ts:7 TS2345'])
  assert.deepEqual(found, ['index.ts:7 TS2339', 'index.ts:8 TS2739'])
})
