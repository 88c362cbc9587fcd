import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from 'esbuild'
import { root, textOf } from '../house/source-files.ts'
import { createStranger, run, type Stranger } from './stranger.ts'

// One state, however the package is loaded: a private field, a class of errors and a set of guarded servers that exist twice
// would each be right alone, and wrong together.
let stranger: Stranger
before(async () => {
  stranger = await createStranger()
})
after(() => stranger.remove())

async function program(name: string, ...lines: readonly string[]): Promise<string> {
  await writeFile(join(stranger.folder, name), lines.join('\n'))
  const { stdout } = await run(process.execPath, [name], { cwd: stranger.folder })
  return stdout.trim()
}

describe('ESM and CommonJS in one program', () => {
  test('have the same plugin, classes and testing kit', async () => {
    const said = await program(
      'both.mjs',
      "import { createRequire } from 'node:module'",
      "import * as named from 'fastify-secure-ws'",
      "import * as kit from 'fastify-secure-ws/testing'",
      'const require = createRequire(import.meta.url)',
      "const required = require('fastify-secure-ws')",
      'const { default: plugin, ...others } = named',
      'console.log(typeof plugin, plugin === required, required.default === plugin)',
      'console.log(Object.keys(others).length > 15, Object.entries(others).filter(([name, value]) => required[name] !== value))',
      "const otherKit = require('fastify-secure-ws/testing')",
      'console.log(Object.keys(kit).length > 3, Object.entries(kit).filter(([name, value]) => otherKit[name] !== value))',
      'console.log(required.Encoded.is(named.html`<b>`), named.Encoded.is(required.dangerouslyTrustHtml("<b>")))',
    )
    assert.equal(said, 'function true true\ntrue []\ntrue []\ntrue true')
  })

  test('the exports of both are those of the source', async () => {
    const source = Object.keys(await import('../../src/index.ts')).filter((name) => name !== 'module.exports')
    const said = await program('names.mjs', "console.log(Object.keys(await import('fastify-secure-ws')).join())")
    assert.deepEqual(said.split(',').sort(), source.sort())
  })
})

describe('two copies in one program', () => {
  before(() => cp(stranger.own, join(stranger.folder, 'node_modules/second-copy'), { recursive: true }))
  const register = 'app.register(secureWs, { authenticate: false })'

  test('fail the registration, with both files and the way out', async () => {
    const said = await program(
      'twice.mjs',
      "import Fastify from 'fastify'",
      "import secureWs from 'fastify-secure-ws'",
      "import { html } from 'second-copy'",
      'const app = Fastify()',
      `await ${register}.ready().catch(({ code, message }) => console.log(code, message))`,
    )
    assert.match(said, /^SWS_LOADED_TWICE .* 2 copies .*fastify-secure-ws\/dist\/index\.cjs and .*second-copy\/dist/)
    assert.match(said, /`npm ls fastify-secure-ws`.*`--external:fastify-secure-ws`/s)
  })

  test('fail the start when the second one comes after the registration', async () => {
    const said = await program(
      'late.cjs',
      "const app = require('fastify')()",
      "const secureWs = require('fastify-secure-ws')",
      `${register}.after(() => { require('second-copy') })`,
      'app.ready().catch(({ code }) => console.log(code))',
    )
    assert.equal(said, 'SWS_LOADED_TWICE')
  })

  test('near miss: the same file a second time, as after jest.resetModules()', async () => {
    const said = await program(
      'again.cjs',
      "const first = require('fastify-secure-ws')",
      "delete require.cache[require.resolve('fastify-secure-ws')]",
      "const secureWs = require('fastify-secure-ws')",
      "const app = require('fastify')()",
      `${register}.ready().then(() => console.log(first === secureWs))`,
    )
    assert.equal(said, 'false')
  })
})

describe('inside a bundle', () => {
  const works = { answer: '{"type":"said","text":"&lt;b&gt;"}', markup: '<i>&lt;</i>' }
  /** What a bundle needs that turns CommonJS into ESM: Fastify itself does not start without it. */
  const requireForEsm = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

  async function bundled(name: string, options: Parameters<typeof build>[0], wanted: readonly string[], apart = true) {
    await cp(new URL('./loading/app.mjs', import.meta.url), join(stranger.folder, 'app.mjs'))
    // Where it runs there is no node_modules: what was not taken along is missing.
    const folder = apart ? join(stranger.folder, '../bare') : stranger.folder
    await mkdir(folder, { recursive: true })
    await build({
      absWorkingDir: stranger.folder,
      entryPoints: ['app.mjs'],
      bundle: true,
      platform: 'node',
      target: 'node22',
      outfile: join(folder, name),
      logLevel: 'error',
      ...options,
    })
    const { stdout } = await run(process.execPath, [join(folder, name), ...wanted], { cwd: folder })
    return JSON.parse(stdout)
  }

  for (const minify of [false, true]) {
    test(`CommonJS${minify ? ', minified,' : ''} works without node_modules`, async () => {
      assert.deepEqual(await bundled(`plain-${minify}.cjs`, { format: 'cjs', minify }, []), works)
    })
    test(`ESM${minify ? ', minified,' : ''} works without node_modules, with the \`require\` that Fastify needs`, async () => {
      const options = { format: 'esm', minify, banner: { js: requireForEsm } } as const
      assert.deepEqual(await bundled(`plain-${minify}.mjs`, options, []), works)
    })
  }

  test('HTML needs a thread, whose file is not taken along: the start fails by name', async () => {
    await mkdir(join(stranger.folder, '../bare'), { recursive: true })
    for (const [name, options] of [
      ['rich.cjs', { format: 'cjs' }],
      ['rich.mjs', { format: 'esm', banner: { js: requireForEsm } }],
    ] as const) {
      // Attack by accident: an application with a `worker.js` of its own would have it started with every document.
      await writeFile(join(stranger.folder, '../bare/worker.js'), 'process.exit(1)')
      const { failed } = await bundled(name, options, ['rich'])
      assert.match(failed, /^SWS_BUNDLED .*`--external:fastify-secure-ws`/)
      assert.deepEqual(await bundled(name, options, ['sanitize']), { ...works, sanitized: 'SWS_BUNDLED' })
    }
  })

  // The examples wait at their top level, which CommonJS cannot: a line without a format failed with every one of them.
  describe('by the lines of docs/deploying.md', () => {
    const section = textOf('docs/deploying.md').split('## Bundled\n')[1]?.split('\n## ')[0] ?? ''
    const [outside = '', inside = ''] = [...section.matchAll(/^```sh\nnpx esbuild (.*)\n```$/gm)].map(
      ([, line]) => line,
    )
    const inTheFolder = '--outfile=server.mjs'

    for (const [name, example, line, outfile] of [
      ['packages left outside, an example with HTML starts', 'rich-text.ts', outside, 'server.mjs'],
      ['everything inside, the first example starts without node_modules', 'chat.mjs', inside, '../bare/server.mjs'],
      [
        'this package outside, an example with HTML starts',
        'rich-text.ts',
        `${inside} --external:fastify-secure-ws`,
        'server.mjs',
      ],
    ] as const) {
      test(name, async () => {
        assert.match(line, /^chat\.mjs --bundle .*--outfile=server\.mjs/)
        await mkdir(join(stranger.folder, '../bare'), { recursive: true })
        const code = textOf(`examples/${example}`).replace('port: 3000', "port: 0, host: '127.0.0.1'")
        await writeFile(join(stranger.folder, example), code)
        const command = line.replace('chat.mjs', example).replace(inTheFolder, `--outfile=${outfile}`)
        await run('bash', ['-c', `"$0" ${command} --log-level=error`, join(root, 'node_modules/.bin/esbuild')], {
          cwd: stranger.folder,
        })
        const server = spawn(process.execPath, [join(stranger.folder, outfile)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const ended = once(server, 'exit')
        try {
          let said = ''
          for await (const part of server.stdout) {
            said += part
            if (said.includes('Server listening')) break
          }
          assert.match(said, /Server listening/)
        } finally {
          server.kill()
          await ended
        }
      })
    }
  })

  test('left outside as the message says, all of it works', async () => {
    const sanitized = { ...works, sanitized: '<b>b</b>' }
    const external = ['fastify-secure-ws', 'fastify-secure-ws/testing']
    assert.deepEqual(await bundled('outside.cjs', { format: 'cjs', external }, ['rich', 'sanitize'], false), sanitized)
    assert.deepEqual(
      await bundled('outside.mjs', { format: 'esm', packages: 'external' }, ['rich', 'sanitize'], false),
      sanitized,
    )
  })
})
