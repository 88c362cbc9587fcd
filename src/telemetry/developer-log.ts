import type { AuditLogger } from './events.ts'
import { createPace } from './pace.ts'
import { quoted } from './quoted.ts'

/** Advice, which helps a developer and nobody else, with the code it is about. */
export interface Advice {
  /** A refusal code, or a name of ours: it is what is told once. */
  readonly about: string
  readonly status?: number
  readonly route?: string | undefined
  /** Made only when somebody will read it. */
  readonly text: () => string
}

export type DeveloperLog = (advice: Advice, log: AuditLogger & { debug(fields: object, text: string): void }) => void

export interface DeveloperLogOptions {
  /** The application's own. */
  readonly logger: object
  readonly development: boolean
  readonly write?: (line: string) => void
}

/** A flood of requests must not make a flood of advice (LG-04). */
const linesPerSecond = 5
const longestLine = 1_500

/**
 * Where advice is read: in the log, and in development without one on stderr, once for each code: a server that refuses
 * without a word is the first thing that a newcomer meets. In production without a logger, nowhere.
 */
export function createDeveloperLog({ logger, development, write = toStderr }: DeveloperLogOptions): DeveloperLog {
  const pace = createPace(linesPerSecond)
  const told = new Set<string>()
  const isSilent = !hasLogger(logger)
  return ({ about, status, route, text }, log) => {
    if (!isSilent) {
      if (pace(about, performance.now()) === undefined) return
      log[development ? 'info' : 'debug']({ code: about }, `fastify-secure-ws: ${text()}`)
      return
    }
    if (!development || told.has(about)) return
    told.add(about)
    const what = [status, about, route !== undefined && `on ${quoted(route)}`].filter(Boolean).join(' ')
    write(
      `fastify-secure-ws: ${what}: ${quoted(text(), longestLine)} (Told once; for every refusal, write Fastify({ logger: true }).)\n`,
    )
  }
}

/** Fastify without `logger` has one whose functions are all the same: they do nothing. */
export function hasLogger(logger: object): boolean {
  const [info, error, fatal] = ['info', 'error', 'fatal'].map((level): unknown => Reflect.get(logger, level))
  return !(info === error && error === fatal)
}

/** For an application without a logger, in development: what its functions threw, once for each. */
export function stderrUnlessLogged(logger: object, write: (line: string) => void = toStderr): AuditLogger | undefined {
  if (hasLogger(logger)) return undefined
  const told = new Set<string>()
  const nothing = () => {}
  return {
    info: nothing,
    warn: nothing,
    error(fields, text) {
      if (told.has(text)) return
      told.add(text)
      const err: unknown = Reflect.get(fields, 'err')
      write(`${text}: ${err instanceof Error ? err.stack : String(err)}\n`)
    },
  }
}

function toStderr(line: string): void {
  process.stderr.write(line)
}
