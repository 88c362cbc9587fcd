import { appendFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { root } from '../../house/source-files.ts'
import { mark, Secrets } from './secrets.ts'

export type Sink = 'log' | 'audit' | 'metrics' | 'traces' | 'responses'

/** Cookies, tokens, tickets, queries and headers of handshakes. */
export const credentials = new Secrets()
/** Strings of messages. */
export const words = new Secrets()

export interface Sighting {
  readonly kind: 'leak' | 'event' | 'metric' | 'span' | 'level' | 'records' | 'watched' | 'beyond'
  readonly sink: Sink
  readonly text: string
  readonly file: string
}

const folder = process.env.CANARY_FOLDER ?? ''
/** The program of this process, from the root of the repository; of one elsewhere its name. */
export const file = programOf(process.argv[1] ?? process.execPath)

function programOf(path: string): string {
  const below = relative(root, path)
  return below.startsWith('..') ? basename(path) : below
}

const told = new Set<string>()
const counts = new Map<Sink, number>()

function tell(kind: Sighting['kind'], sink: Sink, text: string): void {
  // The same, but for its time, is told once.
  const key = `${kind} ${sink} ${kind === 'leak' ? text.replace(/\d+/g, '0') : text}`
  if (told.has(key) || told.size > 2_000) return
  told.add(key)
  appendFileSync(
    join(folder, `${process.pid}.jsonl`),
    `${JSON.stringify({ kind, sink, text, file } satisfies Sighting)}\n`,
  )
}

/** Something of the catalogues that was seen. */
export function seen(kind: 'event' | 'metric' | 'span' | 'level', sink: Sink, name: string): void {
  tell(kind, sink, name)
}

/** Looks at what a sink got. @param quoted whether it may quote a message: an error of the application does */
export function look(sink: Sink, text: string, quoted = false): void {
  counts.set(sink, (counts.get(sink) ?? 0) + 1)
  if (text.includes(mark)) {
    const at = text.indexOf(mark)
    tell('leak', sink, `${mark}: ...${text.slice(Math.max(0, at - 160), at + 40)}`)
  }
  if (sink === 'responses') return
  const found = credentials.foundIn(text) ?? (quoted ? undefined : words.foundIn(text))
  if (found !== undefined) tell('leak', sink, found)
}

/** Answers of Fastify's own, which repeat the URL to whoever asked for it: of an unknown path, and of one that is no URL. */
const ofFastify = ['"message":"Route ', '"code":"FST_ERR_BAD_URL"']

/** What a server answers. */
export function lookAtBytes(bytes: Uint8Array | string): void {
  counts.set('responses', (counts.get('responses') ?? 0) + 1)
  const view = typeof bytes === 'string' ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = view.indexOf(mark)
  if (at === -1 || ofFastify.some((text) => view.includes(text))) return
  const around = typeof view === 'string' ? view : view.toString('latin1')
  tell('leak', 'responses', `${mark}: ...${around.slice(Math.max(0, at - 160), at + 40)}`)
}

tell('watched', 'log', file)
process.once('exit', () => {
  for (const [sink, count] of counts) tell('records', sink, String(count))
  const beyond = credentials.beyond + words.beyond
  if (beyond > 0) tell('beyond', 'log', String(beyond))
})
