import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { root, textOf } from '../house/source-files.ts'
import { startExample } from './example.ts'

const key = 'k'.repeat(40)
const { bin } = JSON.parse(textOf('package.json'))

interface Ended {
  readonly code: number
  readonly said: string
}

/** The command of the package, as `npx` runs it. */
function command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const path = join(root, bin['fastify-secure-ws'])
    execFile(process.execPath, [path, ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, said: stdout + stderr })
    })
  })
}

test('audit-chain.ts: two runs write one chain, and the command reads it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'audit-chain-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'audit.jsonl')
  const heads: string[] = []
  for (let run = 0; run < 2; run++) {
    const example = await startExample(t, 'audit-chain.ts', { AUDIT_FILE: file, AUDIT_KEY: key })
    const url = `${example.url.replace('http', 'ws')}/clock`
    const client = await openSocket(url, { headers: { origin: example.url } })
    await client.hear('now')
    assert.equal(await statusOf(url, { headers: { origin: 'https://evil.example' } }), 403)
    assert.equal(await example.stop('SIGTERM'), 0)
    heads.push(/"head":"(\d+:\w{64})"/.exec(example.said.join('\n'))?.[1] ?? '')
  }
  const [first = '', head = ''] = heads
  const text = await readFile(file, 'utf8')
  const lines = text.trimEnd().split('\n')
  for (const type of ['handshake.accepted', 'handshake.refused', 'socket.closed']) {
    assert.equal(lines.filter((line) => JSON.parse(line).event.type === type).length, 2, type)
  }

  const whole = await command(['verify-audit', '--expect', head, file], { AUDIT_KEY: key })
  assert.deepEqual(whole, { code: 0, said: `${lines.length} records, nothing altered. The head is ${head}\n` })

  // The log rotated: two files are one chain, and the second one alone goes on behind the head of the first.
  const count = Number(first.split(':')[0])
  const parts = [join(folder, 'one'), join(folder, 'two'), join(folder, 'key')] as const
  await writeFile(parts[0], `${lines.slice(0, count).join('\n')}\n`)
  await writeFile(parts[1], `${lines.slice(count).join('\n')}\n`)
  await writeFile(parts[2], `${key}\n`)
  const keyed = ['verify-audit', '--key-file', parts[2]]
  assert.equal((await command([...keyed, parts[0], parts[1]])).code, 0)
  assert.equal((await command([...keyed, '--after', first, parts[1]])).code, 0)
  assert.deepEqual(await command([...keyed, parts[1]]), {
    code: 1,
    said: `line 1: records 1 to ${count} are missing\n`,
  })

  await writeFile(file, text.replace('evil.example', 'good.example'))
  const altered = await command([...keyed, file])
  assert.equal(altered.code, 1)
  assert.match(altered.said, /^line \d+: record \d+ was altered\n$/)
  assert.match((await command(['verify-audit', file])).said, /with a key\? Give --key-file/)
})

test('a command that is wrong says so, and how to write it', async () => {
  for (const [args, text] of [
    [[], /^npx fastify-secure-ws verify-audit/m],
    [['verify'], /^npx fastify-secure-ws verify-audit/m],
    [['verify-audit'], /^Name a file/],
    [['verify-audit', '--expect', '7', 'file'], /^--expect is number:digest/],
    [['verify-audit', '--except', '7', 'file'], /--except/],
    [['verify-audit', 'no-such-file'], /no-such-file/],
  ] as const) {
    const { code, said } = await command(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(said, text)
  }
  assert.equal((await command(['--help'])).code, 0)
})
