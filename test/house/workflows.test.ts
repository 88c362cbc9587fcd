import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Manifest, obstacles } from '../../build/release.ts'
import { filesBelow, textOf } from './source-files.ts'

const workflows = filesBelow('.github/workflows', ['.yml'])
const manifest: Manifest = {
  version: '1.2.3',
  repository: { url: 'git+https://example.org/team/project.git' },
  bugs: { url: 'https://example.org/team/project/issues' },
  homepage: 'https://example.org/team/project',
}
const changelog = '# Changelog\n\n## 1.2.3 - 2026-11-29\n\n- Something.\n'

// Attack: a tag of somebody else's repository is moved, and the next run executes what it points to then, with our rights.
test('every action is named by its commit, with its version beside it', () => {
  const used = workflows.flatMap((path) => textOf(path).match(/uses: .*/g) ?? [])
  assert.ok(used.length > 6)
  assert.deepEqual(
    used.filter((line) => !/^uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
    [],
  )
})

test('every script that a workflow runs is in package.json', () => {
  const { scripts } = JSON.parse(textOf('package.json'))
  const named = workflows.flatMap((path) => {
    const text = textOf(path)
    const list = /script:\n((?: +- \S+\n)+)/.exec(text)?.[1] ?? ''
    return [...text.matchAll(/npm run ([\w:-]+)/g), ...list.matchAll(/- (\S+)/g)].map(([, name = '']) => name)
  })
  assert.ok(named.length > 5)
  assert.deepEqual(
    named.filter((name) => !Object.hasOwn(scripts, name)),
    [],
  )
})

test('a version goes out with an address, its tag and its heading', () => {
  assert.deepEqual(obstacles(manifest, changelog, 'v1.2.3'), [])
})

test('without a public address nothing is released', () => {
  const { repository: _, ...rest } = manifest
  assert.match(obstacles(rest, changelog, 'v1.2.3').join(), /^package.json: `repository` needs/)
  for (const name of ['repository', 'bugs', 'homepage']) {
    for (const address of ['', 'TODO', 'github:', 'http://example.org/x', 'https://example.org/', 'https:///x'])
      assert.match(
        obstacles({ ...manifest, [name]: address }, changelog, 'v1.2.3').join(),
        new RegExp(`^package.json: \`${name}\``),
      )
  }
})

test('another tag, or a changelog that does not know the version, is refused', () => {
  for (const tag of ['', '1.2.3', 'v1.2.4', 'v1.2.3-next.1'])
    assert.equal(obstacles(manifest, changelog, tag).length, 1)
  for (const text of ['', '## Unreleased\n', '## 1x2.3 - 2026-11-29\n', '## 1.2.3\n', '## 1.2.30 - 2026-11-29\n'])
    assert.match(obstacles(manifest, text, 'v1.2.3').join(), /^CHANGELOG.md/)
})
