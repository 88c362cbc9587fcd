import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { before, type TestContext, test } from 'node:test'
import { type Demo, startDemo } from '../../demo/demo.ts'
import { requireBuild } from '../harness/built.ts'
import { root, textOf } from '../house/source-files.ts'

// examples/client.py is made of docs/protocol.md and nothing else: what it cannot do, the page does not say.

before(() => {
  requireBuild()
  const { stdout } = spawnSync('python3', ['--version'], { encoding: 'utf8' })
  assert.match(stdout ?? '', /^Python 3\.(?:9|\d\d)/, 'this test needs Python 3.9 or newer, as `python3`')
})

async function cookieOf({ chat }: Demo, name: string): Promise<string> {
  const answer = await fetch(`${chat}/sign-in`, {
    method: 'POST',
    headers: { origin: chat, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ name }),
    redirect: 'manual',
  })
  return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

interface Python {
  /** The next line that the program prints, which is JSON. */
  said(): Promise<unknown>
  readonly process: ChildProcess
}

/** Runs a program that has `client` of the example, signed in with `cookie`. */
function python(t: TestContext, { chat }: Demo, cookie: string, program: string): Python {
  const start = `
import json, os, sys
from client import Client, Closed, Failed, Refused
def say(*what): print(json.dumps(what), flush=True)
def failing(call, kind):
    try: call()
    except kind as error: return error.args[0]
client = Client(os.environ["URL"] + "/chat", {"Origin": os.environ["ORIGIN"], "Cookie": os.environ["COOKIE"]})
`
  const child = spawn('python3', ['-B', '-c', start + program], {
    cwd: join(root, 'examples'),
    env: { ...process.env, URL: chat.replace('http', 'ws'), ORIGIN: chat, COOKIE: cookie },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { process: child, said: async () => JSON.parse((await lines.next()).value ?? 'null') }
}

test('it connects with a cookie, speaks, asks, is refused by name, and knows when to come back', async (t) => {
  let demo = await startDemo({ port: 0, attackerPort: 0, plain: true })
  t.after(() => demo.close())
  const cookie = await cookieOf(demo, 'Ada')

  const stranger = python(t, demo, 'other=1', 'say(failing(client.open, Refused))')
  assert.deepEqual(await stranger.said(), [{ code: 'SWS_UNAUTHENTICATED', reconnect: false }])

  const talking = python(
    t,
    demo,
    cookie,
    `
client.open()
say(client.why()["code"])
say(client.request("say", text="1 < 2"))
say(failing(lambda: client.request("whisper", text="me too"), Failed))
say(failing(lambda: client.request("nothing"), Failed))
while (message := client.next())["type"] != "said": pass
say(message["by"], message["text"])
say(client.request("say", text="x" * 300))
say("waits")
say(failing(client.next, Closed))`,
  )
  assert.deepEqual(await talking.said(), [null], 'nothing stands in its way')
  assert.deepEqual(await talking.said(), [null], 'a reply without a value')
  assert.deepEqual(await talking.said(), ['SWS_FORBIDDEN'])
  assert.deepEqual(await talking.said(), ['SWS_UNKNOWN_TYPE'])
  assert.deepEqual(await talking.said(), ['Ada', '1 &lt; 2'])
  assert.deepEqual(await talking.said(), [null])
  assert.deepEqual(await talking.said(), ['waits'])

  const staying = python(
    t,
    demo,
    cookie,
    `
def use(client):
    say("open")
    while True: client.next()
try: client.stay(use)
except Exception as end: say(type(end).__name__, end.args[0])`,
  )
  assert.deepEqual(await staying.said(), ['open'])

  // A restart, on the same port: 1012, then nobody there, then a server that knows no session of the last one.
  const port = Number(new URL(demo.chat).port)
  await demo.close()
  // The message of the other one may still wait in front of its close frame.
  let last = await talking.said()
  assert.deepEqual(last === null ? [1012] : last, [null])
  demo = await startDemo({ port, attackerPort: 0, plain: true })
  last = await staying.said()
  assert.deepEqual(last, ['Refused', { code: 'SWS_UNAUTHENTICATED', reconnect: false }])
  if (staying.process.exitCode === null) await once(staying.process, 'exit')
})

test('signed out everywhere, it stays away: 3000 is no reason to come back with the same cookie', async (t) => {
  const demo = await startDemo({ port: 0, attackerPort: 0, plain: true })
  t.after(() => demo.close())
  const cookie = await cookieOf(demo, 'Grace')
  const staying = python(
    t,
    demo,
    cookie,
    `
def use(client):
    say("open")
    while True: client.next()
try: client.stay(use)
except Closed as end: say(*end.args)`,
  )
  assert.deepEqual(await staying.said(), ['open'])
  await fetch(`${demo.chat}/sign-out-everywhere`, {
    method: 'POST',
    headers: { origin: demo.chat, cookie, 'content-type': 'application/x-www-form-urlencoded' },
    redirect: 'manual',
  })
  assert.deepEqual(await staying.said(), [3000, 'unauthorized'])
})

test('the page names the file, which is short', () => {
  assert.match(textOf('docs/protocol.md'), /examples\/client\.py/)
  assert.ok(
    textOf('examples/client.py')
      .split('\n')
      .filter((line) => line !== '').length <= 60,
  )
})
