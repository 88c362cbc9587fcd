import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { requireKnownWs, testedWs } from '../../src/ws/known-ws.ts'

const ws = new URL('../../node_modules/ws/', import.meta.url)
const renamedWs = new URL('renamed-ws.ts', import.meta.url).pathname

test('the installed ws is the one that the message names, and is known', async () => {
  assert.equal(JSON.parse(readFileSync(new URL('package.json', ws), 'utf8')).version, testedWs)
  await requireKnownWs()
})

// Some thirty processes load the same source: without a cache, half of their time goes into that.
const cache = mkdtempSync(join(tmpdir(), 'ws-cache-'))
after(() => rmSync(cache, { recursive: true }))

interface Outcome {
  readonly code?: string
  readonly message?: string
}

/** The end of a server that runs on a copy of ws, in a process of its own. */
async function outcomeWith(change: (source: string, file: string) => string): Promise<Outcome> {
  const copy = mkdtempSync(join(tmpdir(), 'ws-'))
  try {
    cpSync(ws, copy, { recursive: true })
    for (const file of readdirSync(join(copy, 'lib'))) {
      const path = join(copy, 'lib', file)
      writeFileSync(path, change(readFileSync(path, 'utf8'), file))
    }
    const { stdout } = await promisify(execFile)(process.execPath, [renamedWs, copy], {
      timeout: 60_000,
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    })
    return JSON.parse(stdout)
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/** What ws calls private in the files that a socket is made of: names with an underscore, and methods that are not documented. */
function privateNames(): readonly string[] {
  const names = new Set([
    'setSocket',
    'emitClose',
    'sendFrame',
    'dispatch',
    'enqueue',
    'dequeue',
    'getBlobData',
    'startLoop',
  ])
  for (const file of ['sender.js', 'receiver.js', 'websocket.js']) {
    const source = readFileSync(new URL(`lib/${file}`, ws), 'utf8')
    for (const [name] of source.matchAll(/(?<=this\.)_[a-z]\w+/gi)) names.add(name)
  }
  // Of Node's streams, not of ws.
  for (const name of ['_write', '_writableState', '_readableState']) names.delete(name)
  return [...names].toSorted()
}

/** The source of every copy of ours that could name a part of ws. */
const ours = readdirSync(new URL('../../src/', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8'))
  .join('\n')

function renamed(names: readonly string[]): Promise<Outcome> {
  const name = new RegExp(`(?<![\\w$])(?:${names.join('|')})(?![\\w$])`, 'g')
  return outcomeWith((source) => source.replaceAll(name, '$&Renamed'))
}

// With one private method renamed, the last message was lost, and nothing was logged. A name that stands in our source is
// renamed alone. The others are renamed together, in two processes: a new name changes nothing inside ws, so that nothing
// changed with all of them says the same of each.
test('whatever ws renames of its private parts changes nothing, or fails the start; no message is lost', async (t) => {
  const unchanged = await outcomeWith((source) => source)
  assert.equal(unchanged.code, undefined)
  const names = privateNames()
  assert.ok(names.length > 20)
  const known = names.filter((name) => new RegExp(`(?<![\\w$])${name}(?![\\w$])`).test(ours))
  const others = names.filter((name) => !known.includes(name))
  const refused: string[] = []
  const rename = async (group: readonly string[]) => {
    const outcome = await renamed(group)
    const said = group.join(', ')
    if (outcome.code === undefined) assert.deepEqual(outcome, unchanged, said)
    else {
      assert.equal(group.length, 1, `the start failed for one of ${said}`)
      assert.equal(outcome.code, 'SWS_UNSUPPORTED_WS', said)
      assert.ok(outcome.message?.includes(`ws ${testedWs}`), said)
      refused.push(said)
    }
  }
  const half = Math.ceil(others.length / 2)
  const waiting = [others.slice(0, half), others.slice(half), ...known.map((name) => [name])]
  const work = async () => {
    for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) await rename(group)
  }
  await Promise.all([work(), work()])
  t.diagnostic(
    `${names.length} names, ${known.length} of them in our source: the start failed for ${refused.toSorted()}`,
  )
  for (const name of ['_socket', '_state', '_queue', 'setSocket']) assert.ok(refused.includes(name), name)
})

test('a ws whose sender has other names for its public methods is refused', async () => {
  for (const method of ['send', 'ping', 'pong', 'close']) {
    const { code } = await outcomeWith((source, file) =>
      source
        .replaceAll(`_sender.${method}(`, `_sender.${method}Renamed(`)
        .replace(new RegExp(`^  ${method}\\(`, 'm'), file === 'sender.js' ? `  ${method}Renamed(` : '$&'),
    )
    assert.equal(code, 'SWS_UNSUPPORTED_WS', method)
  }
})

// The near miss of the probe: a ws that behaves otherwise under the same names.
test('a ws that keeps its names and writes past its stream is refused', async () => {
  const { code } = await outcomeWith((source) =>
    source.replace('this._socket.write(list[1], cb);', 'process.nextTick(() => this._socket.write(list[1], cb));'),
  )
  assert.equal(code, 'SWS_UNSUPPORTED_WS')
})
