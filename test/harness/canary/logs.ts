import { logRedaction } from '../../../src/telemetry/log-redaction.ts'
import { look, seen } from './sinks.ts'

type Options = { level?: string; redact?: unknown; hooks?: unknown }
type Stream = { write(line: string): unknown }

const numbers: Readonly<Record<string, number>> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 }

/** Each logger of pino writes at every level to this as well, with the redaction that docs/operating.md has; its own stream gets what it would. */
export function watchLogs(require: NodeJS.Require): void {
  const inFastify = createRequireOf(require, 'fastify')
  const path = inFastify.resolve('pino')
  const pino: (options: Options, stream?: Stream) => unknown = inFastify('pino')
  const watched = (given: Options = {}, stream?: Stream) => {
    const least = numbers[given.level ?? 'info'] ?? Number.POSITIVE_INFINITY
    const tee: Stream = {
      write(line) {
        const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30)
        lookAt(line, level)
        if (level >= least) (stream ?? process.stdout).write(line)
      },
    }
    const redaction = given.redact === undefined && given.hooks === undefined ? logRedaction : {}
    return pino({ ...given, ...redaction, level: 'trace' }, tee)
  }
  const cached = require.cache[path]
  if (cached === undefined) throw new Error('pino is not loaded')
  cached.exports = Object.assign(watched, pino)
}

function lookAt(line: string, level: number): void {
  seen('level', 'log', String(level))
  let parsed: { err?: { message?: unknown }; audit?: Record<string, unknown>; msg?: string }
  try {
    parsed = JSON.parse(line)
  } catch {
    seen('level', 'log', 'no JSON')
    look('log', line)
    return
  }
  const { err, ...rest } = parsed
  if (rest.audit !== undefined) {
    const { room: _room, messageType: _type, ...audit } = rest.audit
    rest.audit = audit
  }
  look('log', JSON.stringify(rest))
  // What the application threw stands there as it was, but for credentials.
  if (err !== undefined) look('log', JSON.stringify(err), true)
}

function createRequireOf(require: NodeJS.Require, name: string): NodeJS.Require {
  const { createRequire }: typeof import('node:module') = require('node:module')
  return createRequire(require.resolve(name))
}
