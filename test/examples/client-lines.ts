/**
 * Runs the lines of docs/troubleshooting.md by which each client connects, as they stand there: only the port is another. The
 * test runs those whose client is here anyway; `npm run clients` runs every one that this machine has or npm and pip can bring.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import secureWs, { cookieSession } from '../../src/index.ts'
import { startBrowser } from '../harness/browser.ts'
import { root, textOf } from '../house/source-files.ts'

/** An application with a sign-in, a page, and a socket route `/ws` that says `welcome`. */
export interface Served {
  readonly port: number
  /** As a browser sends it: `__Host-session=...`. */
  readonly cookie: string
  close(): Promise<void>
}

export async function serve(): Promise<Served> {
  const app = Fastify()
  const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => ({ id }) })
  await app.register(secureWs, { authenticate: signedIn })
  app.post('/sign-in', async (_request, reply) => {
    signedIn.setSessionCookie(reply, randomBytes(16).toString('hex'))
    return {}
  })
  app.get('/', (_request, reply) => reply.type('text/html').send('<p>a page of this origin</p>'))
  app.get('/ws', { websocket: true }, (socket) => socket.send('welcome'))
  await app.listen({ port: 0, host: 'localhost' })
  const { port } = app.server.address() as AddressInfo
  const answer = await fetch(`http://localhost:${port}/sign-in`, { method: 'POST' })
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  return { port, cookie, close: () => app.close() }
}

/** The lines of the table, by what stands in its first column. */
export function clientLines(page: string = textOf('docs/troubleshooting.md')): Map<string, string> {
  const section = page.split('## How to connect, by client')[1]?.split('\n## ')[0] ?? ''
  return new Map(
    [...section.matchAll(/^\| ([^|]+) \| [^`|]*`([^`]+)`/gm)].map(([, client = '', line = '']) => [client, line]),
  )
}

/** What a client said: the message of the server, or how it was told no. */
export type ClientRun = (line: string, served: Served) => Promise<string>

const javaScript =
  (before: string): ClientRun =>
  (line, { cookie }) => {
    const then = `const socket = ${line}
      socket.onmessage = ({ data }) => { console.log(String(data)); socket.close() }
      socket.onerror = (event) => console.log('refused', event.message)`
    return said(
      process.execPath,
      ['--input-type=module', '-e', `${before}\nconst cookie = process.env.COOKIE\n${then}`],
      cookie,
    )
  }

const shell: ClientRun = (line, { cookie }) => said('bash', ['-c', line], cookie)

/** @param python the interpreter, @param path where its packages are, besides its own */
const python =
  (interpreter: string, path?: string): ClientRun =>
  (line, { cookie }) => {
    const program = `
import asyncio, os, websockets
cookie = os.environ['COOKIE']
async def main():
    async with ${line} as socket:
        print(await socket.recv())
asyncio.run(main())`
    return said(interpreter, ['-c', program], cookie, path === undefined ? {} : { PYTHONPATH: path })
  }

async function inChromium(line: string, { port }: Served): Promise<string> {
  const browser = await startBrowser()
  try {
    const page = await browser.newPage()
    await page.goto(`http://localhost:${port}/`)
    await page.evaluate("fetch('/sign-in', { method: 'POST' })")
    return await page.evaluate(`new Promise((resolve) => {
      const socket = ${line}
      socket.onmessage = ({ data }) => resolve(data)
      socket.onclose = ({ code }) => resolve('closed with ' + code)
    })`)
  } finally {
    await browser.close()
  }
}

/** Those whose client is on every machine that runs the tests. */
export const tested: ReadonlyMap<string, ClientRun> = new Map([
  ['browser, from a page of the same origin', inChromium],
  ['ws', javaScript("import { WebSocket } from 'ws'")],
  ["Node's own `WebSocket`", javaScript('')],
  ['curl', shell],
])

/** What a program wrote until it had a first line of the server's, or ended. A client that stays is ended. */
function said(command: string, args: readonly string[], cookie: string, more: NodeJS.ProcessEnv = {}): Promise<string> {
  // Of its own group, so that what a shell or npx has started ends with it.
  const run: ChildProcess = spawn(command, [...args], {
    cwd: root,
    env: { ...process.env, COOKIE: cookie, ...more },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let text = ''
  const { promise, resolve } = Promise.withResolvers<string>()
  const end = () => {
    if (run.pid !== undefined && run.exitCode === null) process.kill(-run.pid)
    resolve(text)
  }
  const timer = setTimeout(end, 60_000)
  const hear = (part: Buffer) => {
    text += String(part)
    if (/welcome|HTTP\/1\.1 101/.test(text)) end()
  }
  run.stdout?.on('data', hear)
  run.stderr?.on('data', hear)
  run.once('error', (error) => resolve(error.message))
  run.once('close', () => {
    clearTimeout(timer)
    resolve(text)
  })
  return promise
}

export function atPort(line: string, port: number): string {
  return line.replaceAll('localhost:3000', `localhost:${port}`)
}

/** Everything, for somebody who wants to see it: what ran, and what did not for want of the client. */
async function runAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'secure-ws-clients-'))
  const pip = spawnSync('python3', ['-m', 'pip', 'install', '-q', '--target', folder, 'websockets>=14'], {
    stdio: 'inherit',
  })
  const all = new Map<string, ClientRun>([
    ...tested,
    // npx asks before it fetches a package, and here is nobody to answer.
    ['wscat', (line, { cookie }) => said('bash', ['-c', line], cookie, { npm_config_yes: 'true' })],
    ["Python, `websockets` before 14 (Debian's `python3-websockets`)", python('/usr/bin/python3')],
    ...(pip.status === 0
      ? ([['Python, `websockets` 14 and later', python('python3', folder)]] as const)
      : ([] as const)),
  ])
  const served = await serve()
  try {
    for (const [client, line] of clientLines()) {
      const run = all.get(client)
      const text = run === undefined ? 'not run: no such client here' : await run(atPort(line, served.port), served)
      console.log(
        `${/welcome|HTTP\/1\.1 101/.test(text) ? 'connected' : 'NOT connected'}  ${client}: ${text.trim().split('\n').at(-1)}`,
      )
    }
  } finally {
    await served.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === import.meta.filename) await runAll()
