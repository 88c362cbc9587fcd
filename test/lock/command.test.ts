import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { requireBuild } from '../harness/built.ts'
import { root } from '../house/source-files.ts'

let folder = ''
before(async () => {
  requireBuild()
  folder = await mkdtemp(join(tmpdir(), 'secure-ws-lock-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const ofDemo = join(root, 'demo/secure-ws.lock.json')

function lock(
  ...args: readonly string[]
): Promise<{ readonly code: unknown; readonly out: string; readonly said: string }> {
  return new Promise((resolve) => {
    const command = [join(root, 'src/command/command.ts'), 'lock', ...args]
    execFile(process.execPath, command, { cwd: root }, (error, out, said) =>
      resolve({ code: error === null ? 0 : error.code, out, said }),
    )
  })
}

test('the policy of the demo is the one that was accepted: `npm run lock -- --accept` after a change that is meant', async () => {
  const { code, out, said } = await lock('--check', '--lock', ofDemo, 'demo/policy.ts')
  assert.equal(code, 0, out + said)
  assert.equal(out, 'Nothing has changed.\n')
})

test('what got looser than the file is told, a line each; accepted, it is in the file', async () => {
  const path = join(folder, 'accepted.json')
  const accepted = JSON.parse(await readFile(ofDemo, 'utf8'))
  accepted.routes['/chat'].limits.messageBytes = 1_000
  accepted.routes['/chat'].receives.say.authorized = true
  accepted.routes['/chat'].receives.say.rate.perSecond = 1
  delete accepted.routes['/events']
  await writeFile(path, JSON.stringify(accepted))

  const loose = await lock('--check', '--lock', path, ofDemo)
  assert.equal(loose.code, 1)
  assert.deepEqual(
    loose.out
      .split('\n')
      .filter((line) => line.startsWith('looser: '))
      .sort(),
    [
      'looser: /chat.limits.messageBytes: 1000 became 65536',
      'looser: /chat.receives.say.rate.perSecond: 1 became 5',
      'looser: /events is new',
    ],
  )
  assert.equal(JSON.parse(await readFile(path, 'utf8')).routes['/events'], undefined, 'not written')

  assert.equal((await lock('--accept', '--lock', path, ofDemo)).code, 0)
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), JSON.parse(await readFile(ofDemo, 'utf8')))
})

test('what got tighter passes, and is kept when it is accepted', async () => {
  const [path, policy] = [join(folder, 'wide.json'), join(folder, 'policy.json')]
  const accepted = JSON.parse(await readFile(ofDemo, 'utf8'))
  await writeFile(policy, JSON.stringify(accepted))
  accepted.routes['/chat'].limits.messageBytes = 1_000_000
  await writeFile(path, JSON.stringify(accepted))
  const { code, out } = await lock('--lock', path, policy)
  assert.equal(code, 0)
  assert.match(out, /Nothing is looser/)
})

test('a lock that is not there, or damaged, has accepted nothing; a module without a server is told', async () => {
  const damaged = join(folder, 'damaged.json')
  await writeFile(damaged, '{"lockVersion":2}')
  const [none, broken, noServer, both] = await Promise.all([
    lock('--check', '--lock', join(folder, 'none.json'), ofDemo),
    lock('--check', '--lock', damaged, ofDemo),
    lock('--check', '--lock', ofDemo, 'demo/sessions.ts'),
    lock('--check', '--accept', ofDemo),
  ])
  assert.deepEqual([none.code, broken.code, noServer.code, both.code], [1, 2, 2, 2])
  assert.match(none.out, /nothing was accepted yet/)
  assert.match(broken.said, /is no policy/)
  assert.match(noServer.said, /no export default/)
})
