import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { isMembers } from '../lock/judge.ts'
import { isUnchanged, loosened } from '../lock/loosened.ts'

export const lockUsage = `npx fastify-secure-ws lock [--check | --accept] [--lock FILE] [--export NAME] SERVER

  Compares the policy of a server with the one that was accepted last, and answers 1 when anything in it got looser.

  SERVER            a module whose default export is a Fastify instance or a function that makes one;
                    or a .json file with what app.secureWs.policy() returned
  --check           compare, and write nothing (this is what happens without an option, too)
  --accept          write the policy as it is now
  --lock FILE       the accepted policy; left out, secure-ws.lock.json
  --export NAME     the export of the module; left out, the default one
`

/** @returns the exit code */
export async function lock(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        check: { type: 'boolean', default: false },
        accept: { type: 'boolean', default: false },
        lock: { type: 'string', default: 'secure-ws.lock.json' },
        export: { type: 'string', default: 'default' },
      },
    })
    const [server] = positionals
    if (server === undefined || positionals.length > 1) throw new Error('Name one server: a module, or a .json file.')
    if (values.check && values.accept) throw new Error('Write --check or --accept, not both.')
    return await compare(await policyAt(server, values.export), values.lock, values.accept)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${lockUsage}`)
    return 2
  }
}

async function compare(policy: object, path: string, accept: boolean): Promise<number> {
  const accepted = await acceptedAt(path)
  const lines = accepted === undefined ? [] : loosened(accepted, policy)
  for (const line of lines) process.stdout.write(`looser: ${line}\n`)
  if (accept) {
    await writeFile(path, `${JSON.stringify(policy, null, 2)}\n`)
    process.stdout.write(`Accepted, in ${path}.\n`)
    return 0
  }
  if (accepted === undefined) {
    process.stdout.write(
      `There is no ${path}: nothing was accepted yet. Look at the policy, and write it with --accept.\n`,
    )
    return 1
  }
  if (lines.length > 0) {
    process.stdout.write(
      'If that is what you want, accept it with --accept, and have the change of the file reviewed.\n',
    )
    return 1
  }
  const unchanged = isUnchanged(accepted, policy)
  process.stdout.write(
    unchanged ? 'Nothing has changed.\n' : 'Nothing is looser. Keep what is tighter with --accept.\n',
  )
  return 0
}

/** @throws Error for a file that is no policy: one that was damaged has accepted nothing */
async function acceptedAt(path: string): Promise<object | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return asPolicy(JSON.parse(text), path)
}

function asPolicy(value: unknown, path: string): object {
  if (isMembers(value) && Reflect.get(value, 'lockVersion') === 1) return value
  throw new Error(`${path} is no policy of app.secureWs.policy().`)
}

async function policyAt(server: string, name: string): Promise<object> {
  if (server.endsWith('.json')) return asPolicy(JSON.parse(await readFile(server, 'utf8')), server)
  const module: unknown = await import(pathToFileURL(resolve(server)).href)
  const exported: unknown = isMembers(module) ? Reflect.get(module, name) : undefined
  if (exported === undefined) throw new Error(`${server} has no export ${name}.`)
  const app: unknown = await (typeof exported === 'function' ? exported() : exported)
  if (!isServer(app)) throw new Error(`The export ${name} of ${server} is no Fastify instance with this plugin.`)
  // Not `ready`: every route is declared, and nothing has started that needs the network.
  await app.after()
  const { secureWs } = app
  const policy = asPolicy(secureWs.policy(), server)
  await app.close()
  return policy
}

interface Server {
  readonly secureWs: { policy(): unknown }
  after(): PromiseLike<unknown>
  close(): PromiseLike<unknown>
}

function isServer(value: unknown): value is Server {
  if (typeof value !== 'object' || value === null) return false
  if (typeof Reflect.get(value, 'after') !== 'function' || typeof Reflect.get(value, 'close') !== 'function')
    return false
  const instance: unknown = Reflect.get(value, 'secureWs')
  return typeof instance === 'object' && instance !== null && typeof Reflect.get(instance, 'policy') === 'function'
}
