import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Calls, Message, NodeConfig } from './node.ts'

export interface TruthNode {
  readonly port: number
  call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>>
  kill(): Promise<void>
}

const program = fileURLToPath(new URL('node.ts', import.meta.url))

/** @param onGone told of each socket that a node has seen the last of, and when a listener of it was last called */
export async function startTruthNode(
  config: NodeConfig,
  onGone: (number: number, last: number) => void,
): Promise<TruthNode> {
  const child = fork(program, [JSON.stringify(config)], { env: { ...process.env, NODE_ENV: 'production' } })
  const onExit = () => void child.kill('SIGKILL')
  process.once('exit', onExit)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const ready = Promise.withResolvers<number>()
  let calls = 0
  child.on('message', (message: Message) => {
    if ('port' in message) return ready.resolve(message.port)
    if ('gone' in message) return onGone(message.gone.number, message.gone.last)
    const call = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.error === undefined) call?.resolve(message.value)
    else call?.reject(new Error(message.error))
  })
  child.once('exit', (code, signal) => {
    const error = new Error(`a node ended: ${signal ?? code}`)
    ready.reject(error)
    for (const call of waiting.values()) call.reject(error)
    waiting.clear()
  })
  return {
    port: await ready.promise,
    call(name, ...args) {
      const answer = Promise.withResolvers<unknown>()
      const id = calls++
      waiting.set(id, answer)
      child.send({ id, name, args })
      return answer.promise as Promise<never>
    },
    async kill() {
      process.removeListener('exit', onExit)
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}
