/**
 * What an import of this package costs over that of @fastify/websocket, which it brings along: two child processes in turn,
 * 15 times, each with a module cache of its own. `npm run build` first.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { requireBuild } from '../test/harness/built.ts'

const rounds = 15
const root = fileURLToPath(new URL('../', import.meta.url))
const peers = { '@fastify/websocket': '@fastify/websocket', 'fastify-secure-ws': './dist/index.js' }

requireBuild()
const times = new Map<string, number[]>()
for (let round = 0; round < rounds; round++) {
  for (const [name, specifier] of Object.entries(peers))
    times.set(name, [...(times.get(name) ?? []), timeOf(specifier)])
}
const medians = [...times].map(([name, list]) => [name, medianOf(list)] as const)
for (const [name, median] of medians) console.log(`${name.padEnd(20)} ${median.toFixed(0)} ms`)
const [[, theirs] = ['', 0], [, ours] = ['', 0]] = medians
console.log(`${'difference'.padEnd(20)} ${(ours - theirs).toFixed(0)} ms (median of ${rounds})`)

/** Fastify is loaded first: whoever imports one of the two has it already. */
function timeOf(specifier: string): number {
  const code = `await import('fastify'); const t = performance.now(); await import('${specifier}'); console.log(performance.now() - t)`
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: root, encoding: 'utf8' })
  return Number(said)
}

function medianOf(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN
}
