import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { generate } from 'selfsigned'
import { freePort } from './free-port.ts'

export interface RedisServerOptions {
  /** Users of an ACL file: the default user is off then, and `cli` is an administrator. Without, everybody may do everything. */
  readonly acl?: readonly string[]
  /** TLS only, with a certificate for `localhost` made for this server. */
  readonly tls?: boolean
  /** More lines for the configuration file. */
  readonly config?: readonly string[]
}

export interface RedisServer {
  readonly port: number
  /** For the default user; `urlFor` for one of the ACL. */
  readonly url: string
  urlFor(user: string, password: string): string
  /** The certificate that signs the server's (it is its own), PEM. Empty without `tls`. */
  readonly ca: string
  readonly pid: number
  /** kill -9, as a machine that goes away. */
  stop(): Promise<void>
  /** Starts again on the same port, empty. */
  start(): Promise<void>
  restart(): Promise<void>
  /** redis-cli, with every right. */
  cli(...args: readonly string[]): Promise<string>
  /** Stops it and removes its folder. */
  close(): Promise<void>
}

/** A real redis-server on 127.0.0.1, without persistence, in a folder of its own. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'sws-redis-'))
  const ca = options.tls ? await certificate(folder) : ''
  const transport = options.tls
    ? ['port 0', `tls-port ${port}`, 'tls-cert-file cert.pem', 'tls-key-file key.pem', 'tls-auth-clients no']
    : [`port ${port}`]
  const lines = [
    ...transport,
    'bind 127.0.0.1',
    'save ""',
    'appendonly no',
    `dir ${folder}`,
    ...(options.acl ? ['aclfile users.acl'] : []),
    ...(options.config ?? []),
  ]
  if (options.acl) {
    const users = ['user default off', 'user admin on >admin ~* &* +@all', ...options.acl]
    await writeFile(join(folder, 'users.acl'), `${users.join('\n')}\n`)
  }
  await writeFile(join(folder, 'redis.conf'), `${lines.join('\n')}\n`)

  let child = await launch(folder)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const start = async (): Promise<void> => {
    child = await launch(folder)
  }
  // A test runner that is killed must not leave servers behind.
  const onExit = () => child.kill('SIGKILL')
  process.once('exit', onExit)

  const scheme = options.tls ? 'rediss' : 'redis'
  const cliTls = options.tls ? ['--tls', '--insecure'] : []
  const cliUser = options.acl ? ['--user', 'admin', '--pass', 'admin', '--no-auth-warning'] : []
  return {
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    urlFor: (user, password) => `${scheme}://${user}:${password}@127.0.0.1:${port}`,
    ca,
    get pid() {
      return child.pid ?? 0
    },
    stop: kill,
    start,
    async restart() {
      await kill()
      await start()
    },
    async cli(...args) {
      const { stdout } = await promisify(execFile)(
        'redis-cli',
        ['-h', '127.0.0.1', '-p', String(port), ...cliTls, ...cliUser, ...args],
        {
          maxBuffer: 64 * 1024 * 1024,
        },
      )
      return stdout.trim()
    },
    async close() {
      process.removeListener('exit', onExit)
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function launch(folder: string) {
  const child = spawn('redis-server', ['redis.conf'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.includes('eady to accept connections')) resolve()
  })
  child.once('error', reject)
  child.once('exit', () => reject(new Error(`redis-server ended:\n${said}`)))
  await promise
  return child
}

async function certificate(folder: string): Promise<string> {
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  await writeFile(join(folder, 'cert.pem'), pems.cert)
  await writeFile(join(folder, 'key.pem'), pems.private)
  return pems.cert
}
