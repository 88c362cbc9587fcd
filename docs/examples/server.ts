/**
 * Serves the pages of this folder, each with a socket that says the same few things. Run `node docs/examples/server.ts`
 * and open the address that it prints.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs from '../../src/index.ts'

/** What somebody wrote in a chat: text, and an attack that is text. */
export const said = [
  'Tom & Jerry',
  'a < b',
  '<img src="data:," onerror="window.owned = true">',
  '<b>not bold</b>',
] as const

export const pages = [
  'inner-html',
  'text-content',
  'react-text',
  'react-inner-html',
  'vue-text',
  'vue-inner-html',
  'trusted-types',
] as const

/** With `encode: 'none'` the same pages show what happens without. */
export async function createExamples(encode?: 'none'): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(secureWs, {
    authenticate: false,
    // Only so that each page is one file. In an application, scripts are files, and the policy stays.
    helmet: { contentSecurityPolicy: false },
  })
  for (const mode of ['html', 'json'] as const) {
    app.get(`/${mode}`, { websocket: true, secureWs: { encode: encode ?? mode } }, (socket) => {
      for (const text of said) socket.send({ type: 'said', text })
    })
  }
  for (const page of pages) {
    const file = new URL(`${page}.html`, import.meta.url)
    app.get(`/${page}`, async (_request, reply) => reply.type('text/html').send(await readFile(file)))
  }
  app.get('/', (_request, reply) =>
    reply.type('text/html').send(pages.map((page) => `<p><a href="/${page}">${page}</a>`).join('')),
  )
  app.get('/show.js', async (_request, reply) => {
    return reply.type('text/javascript').send(await readFile(new URL('show.js', import.meta.url)))
  })
  app.get('/react.js', async (_request, reply) => reply.type('text/javascript').send(await reactModule()))
  app.get('/vue.js', async (_request, reply) => {
    return reply.type('text/javascript').send(await textOf('vue/dist/vue.runtime.esm-browser.prod.js'))
  })
  return app
}

const { resolve } = createRequire(import.meta.url)

function textOf(file: string): Promise<string> {
  return readFile(resolve(file), 'utf8')
}

/** React comes as CommonJS files; here they are in one module, as a bundler would write it. */
async function reactModule(): Promise<string> {
  const scheduler = createRequire(resolve('react-dom/package.json')).resolve('scheduler/package.json')
  const files: Record<string, string> = {
    react: resolve('react/package.json').replace('package.json', 'cjs/react.production.js'),
    scheduler: scheduler.replace('package.json', 'cjs/scheduler.production.js'),
    'react-dom': resolve('react-dom/package.json').replace('package.json', 'cjs/react-dom.production.js'),
    client: resolve('react-dom/package.json').replace('package.json', 'cjs/react-dom-client.production.js'),
  }
  const parts = await Promise.all(
    Object.entries(files).map(async ([name, file]) => {
      return `${JSON.stringify(name)}: (exports, require) => {${await readFile(file, 'utf8')}}`
    }),
  )
  return `const files = {${parts.join(',\n')}}
const loaded = {}
function require(name) {
  if (!(name in loaded)) files[name]((loaded[name] = {}), require)
  return loaded[name]
}
export const { createElement, useEffect, useState } = require('react')
export const { createRoot } = require('client')
`
}

if (process.argv[1] === import.meta.filename) console.log(await (await createExamples()).listen({ port: 0 }))
