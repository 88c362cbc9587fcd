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
  readonly kind: 'leak' | 'event' | 'metric' | 'span' | 'level' | 'records'
  readonly sink: Sink
  readonly text: string
  readonly file: string
}

const folder = process.env.CANARY_FOLDER ?? ''
const file = relative(root, process.argv[1] ?? '') || basename(process.execPath)
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

export function lookAtBytes(bytes: Uint8Array | string): void {
  counts.set('responses', (counts.get('responses') ?? 0) + 1)
  const at =
    typeof bytes === 'string'
      ? bytes.indexOf(mark)
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(mark)
  if (at !== -1)
    tell(
      'leak',
      'responses',
      `${mark}: ...${Buffer.from(bytes)
        .toString('latin1')
        .slice(Math.max(0, at - 160), at + 40)}`,
    )
}

process.once('exit', () => {
  for (const [sink, count] of counts) tell('records', sink, String(count))
})
