import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { NodeAnswer, NodeCalls, NodeConfig } from './node-app.ts'
import { type ClientOptions, openSocket, type SocketClient, statusOf } from './socket-client.ts'

type Call = keyof NodeCalls

/** A real Node process with an application and the plugin, that can be killed. */
export interface NodeProcess {
  readonly port: number
  readonly pid: number
  call<Name extends Call>(
    name: Name,
    ...args: Parameters<NodeCalls[Name]>
  ): Promise<Awaited<ReturnType<NodeCalls[Name]>>>
  /** A socket on `/chat` in these rooms. `session`: `'ann.1'` is session 1 of ann. */
  open(session: string, ...rooms: readonly string[]): Promise<SocketClient>
  /** What a handshake on `/chat` is answered with. */
  status(session: string, options?: ClientOptions): Promise<number>
  url(path: string): string
  ticket(session: string): Promise<string>
  /** kill -9. */
  kill(): Promise<void>
  /** Ends the application as `app.close()` does, and with it the process. */
  close(): Promise<void>
}

const program = fileURLToPath(new URL('node-app.ts', import.meta.url))

export async function startNode(config: NodeConfig, execArgv: readonly string[] = []): Promise<NodeProcess> {
  const child = fork(program, [JSON.stringify(config)], { execArgv: [...execArgv], serialization: 'advanced' })
  const onExit = () => void child.kill('SIGKILL')
  // A test runner that is killed must not leave nodes behind.
  process.once('exit', onExit)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let calls = 0
  const { promise: port, resolve: ready, reject: failed } = Promise.withResolvers<number>()
  child.on('message', (message: { port: number } | NodeAnswer) => {
    if ('port' in message) return ready(message.port)
    const call = waiting.get(message.number)
    waiting.delete(message.number)
    if (message.error === undefined) call?.resolve(message.value)
    else call?.reject(new Error(message.error))
  })
  child.once('exit', (code, signal) => {
    process.removeListener('exit', onExit)
    const error = new Error(`the node ended: ${signal ?? code}`)
    failed(error)
    for (const call of waiting.values()) call.reject(error)
    waiting.clear()
  })

  const listening = await port
  const url = (path: string) => `ws://127.0.0.1:${listening}${path}`
  const call = (name: Call, ...args: readonly unknown[]): Promise<never> => {
    const answer = Promise.withResolvers<unknown>()
    const number = calls++
    waiting.set(number, answer)
    child.send({ number, name, args })
    return answer.promise as Promise<never>
  }
  const gone = async (end: () => void): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    end()
    await exited
  }

  return {
    port: listening,
    pid: child.pid ?? 0,
    call,
    url,
    open: (session, ...rooms) => {
      const query = rooms.map((room) => `room=${encodeURIComponent(room)}`).join('&')
      return openSocket(url(`/chat?${query}`), { headers: { 'x-session': session } })
    },
    status: (session, options) =>
      statusOf(url('/chat'), { ...options, headers: { 'x-session': session, ...options?.headers } }),
    async ticket(session) {
      const answer = await fetch(`http://127.0.0.1:${listening}/ticket`, {
        method: 'POST',
        headers: { 'x-session': session },
      })
      if (!answer.ok) throw new Error(`no ticket: ${answer.status} ${await answer.text()}`)
      const { protocol } = (await answer.json()) as { readonly protocol: string }
      return protocol
    },
    kill: () => gone(() => child.kill('SIGKILL')),
    close: () =>
      gone(() => {
        call('close').then(
          () => child.connected && child.disconnect(),
          () => child.kill('SIGKILL'),
        )
      }),
  }
}
