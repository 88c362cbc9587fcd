/**
 * Servers are compared by what they do per second of their own CPU time, all threads together, so that a busy machine and a
 * slow client change as little as possible. What is compared is measured in turns, within one run.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Garbage } from './garbage.ts'
import type { PeerName } from './peers.ts'
import type { Command } from './server.ts'

const program = fileURLToPath(new URL('./server.ts', import.meta.url))

export interface Server {
  readonly name: PeerName
  readonly port: number
  /** Nanoseconds that its threads have run. */
  cpu(): number
  tell(command: Command): void
  ask(command: Command): Promise<{ heap: number; external: number; rss: number; connected: number }>
  /** What it allocates while this is done. */
  garbageOf<T>(work: () => Promise<T>): Promise<Garbage & { readonly done: T }>
  stop(): void
}

const cores = availableParallelism()
if (cores > 1) pin(process.pid, 0)

/** The server gets the second core to itself, the client stays on the first. */
export async function start(name: PeerName, heartbeats: 'heartbeats' | 'none' = 'none'): Promise<Server> {
  const child: ChildProcess = fork(program, [name, heartbeats], {
    env: { ...process.env, NODE_ENV: 'production' },
    execArgv: ['--expose-gc'],
  })
  const pid = child.pid ?? 0
  if (cores > 1) pin(pid, 1)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    name,
    port,
    cpu: () => cpuOf(pid),
    tell: (command) => void child.send(command),
    async ask(command) {
      const answer = once(child, 'message')
      child.send(command)
      return (await answer)[0]
    },
    async garbageOf(work) {
      child.send({ kind: 'count garbage' } satisfies Command)
      const done = await work()
      const answer = once(child, 'message')
      child.send({ kind: 'garbage' } satisfies Command)
      return { ...((await answer)[0] as Garbage), done }
    },
    stop: () => void child.kill(),
  }
}

function cpuOf(pid: number): number {
  let total = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  }
  return total
}

function pin(pid: number, core: number): void {
  execFileSync('taskset', ['-a', '-cp', String(core), String(pid)])
}

/** `work` resolves with how many were done; the answer is how many per second of the server's CPU time. */
export async function perCpuSecond(server: Server, work: () => Promise<number>): Promise<number> {
  const before = server.cpu()
  const done = await work()
  return done / ((server.cpu() - before) / 1e9)
}

/** Each server once per round, the first round thrown away. */
export async function inTurns(
  servers: readonly Server[],
  rounds: number,
  measure: (server: Server) => Promise<number>,
): Promise<Map<PeerName, number[]>> {
  const results = new Map<PeerName, number[]>(servers.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    // Whoever comes second finds the machine as the first one left it: the order alternates.
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      const result = await measure(server)
      if (round > 0) results.get(server.name)?.push(result)
    }
  }
  return results
}

/**
 * The same for each piece of work by its title, with new processes a few times: from one process to the next of the same program the
 * cost of a message differs by a tenth, and stays so for as long as it runs. All their results together are compared.
 *
 * @param prepare opens what the work needs, and warms up
 * @param works each resolves with how many were done
 */
export async function compareGenerations(
  names: readonly PeerName[],
  rounds: number,
  prepare: (servers: readonly Server[]) => Promise<void>,
  works: ReadonlyMap<string, (server: Server) => Promise<number>>,
): Promise<void> {
  const all = new Map(Array.from(works.keys(), (title) => [title, new Map<PeerName, number[]>()]))
  for (let generation = 0; generation < 3; generation++) {
    const servers = await Promise.all(names.map((name) => start(name)))
    await prepare(servers)
    for (const [title, work] of works) {
      const results = all.get(title)
      for (const [name, values] of await inTurns(servers, rounds, (server) =>
        perCpuSecond(server, () => work(server)),
      )) {
        results?.set(name, [...(results.get(name) ?? []), ...values])
      }
    }
    for (const server of servers) server.stop()
  }
  for (const [title, results] of all) compare(title, results)
}

/** Ours against each other one, round by round. */
export function compare(title: string, results: Map<PeerName, number[]>, unit = '/s', mine: PeerName = 'ours'): void {
  const ours = results.get(mine) ?? []
  for (const [name, theirs] of results) {
    if (name === mine) continue
    const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN)).sort((a, b) => a - b)
    const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part).toFixed(2))
    const absolute = `${Math.round(quantile(ours.toSorted(ascending), 0.5))} : ${Math.round(quantile(theirs.toSorted(ascending), 0.5))} ${unit}`
    console.log(`${title.padEnd(30)} ${mine} : ${name.padEnd(20)} ${middle} (${low}-${high})   ${absolute}`)
  }
}

const ascending = (a: number, b: number) => a - b

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN
}
