/**
 * The cost of a declared message here against another checkout of this repository: in, from the frame to the verdict; out, from the
 * value to the payload. Each checkout has a process of its own, they take turns, and what is compared is CPU time. Prints here : there,
 * below 1 where this one is faster. Run it as `npm run bench:messages -- ../other-checkout`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const text = { type: 'string', maxLength: 4_000 }
const integer = { type: 'integer', minimum: 0 }
const person = object({ id: integer, name: text, mail: { type: 'string', maxLength: 254, format: 'email' } })
const row = object(
  { id: integer, name: text, at: { type: 'number' }, open: { type: 'boolean' }, note: text },
  { required: ['id', 'name'] },
)
const order = object({
  order: { type: 'string', pattern: '^[a-z0-9-]{36}$' },
  by: person,
  to: object({ street: text, city: text, country: { enum: ['AT', 'CH', 'DE', 'FR'] } }),
  lines: { type: 'array', maxItems: 100, items: row },
})
const said = (kind: string, more: object) => object({ kind: { const: kind }, id: integer, ...more })

const anybody = { id: 7, name: 'Ada Lovelace', mail: 'ada@example.org' }
const rows = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...{ id: index, name: `member ${index}`, at: 1.5 + index, open: true },
    note: 'the quick brown fox jumps over the lazy dog',
  }))

/** Each with a message of its kind, whose type is the name. */
const cases: Readonly<Record<string, { readonly schema: object; readonly message: object }>> = {
  flat64B: { schema: object({ text }), message: { text: 'hello, how are you all today?' } },
  scalars200B: {
    schema: object({ room: text, text, at: { type: 'number' }, urgent: { type: 'boolean' }, size: integer }),
    message: { room: 'general', text: 'the quick brown fox '.repeat(5), at: 1.5, urgent: false, size: 12 },
  },
  nested1KiB: {
    schema: order,
    message: {
      order: '00112233-4455-6677-8899-aabbccddeeff',
      by: anybody,
      to: { street: '1 Ring Road', city: 'Vienna', country: 'AT' },
      lines: rows(8),
    },
  },
  records16KiB: { schema: object({ rows: { type: 'array', items: row } }), message: { rows: rows(145) } },
  union1KiB: {
    schema: object({
      list: { type: 'array', items: { anyOf: [said('text', { text }), said('move', { x: integer })] } },
    }),
    message: {
      list: Array.from({ length: 20 }, (_, id) =>
        id % 2 === 0 ? { kind: 'text', id, text: 'hello, how are you all?' } : { kind: 'move', id, x: id },
      ),
    },
  },
}

function object(properties: object, more: object = {}): object {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false, ...more }
}

type Work = () => unknown

/** Every case in both directions, by the name that is printed. */
async function worksOf(root: string): Promise<Map<string, Work>> {
  const load = (path: string) => import(pathToFileURL(join(root, 'src', path)).href)
  const { admitFrame, compileInbound, createInboundState, receive } = await load('inbound/inbound.ts')
  const { compileOutbound, encodeOutgoing } = await load('outbound/outbound.ts')
  const declared = Object.fromEntries(Object.entries(cases).map(([type, { schema }]) => [type, { schema }]))
  const sanitizeHtml = (dirty: string) => dirty
  const limits = {
    ...{ messages: { perSecond: 1e12 }, bytes: { perSecond: 1e15 }, refusals: { perMinute: 20 } },
    ...{ messageDepth: 32, lookup: 1_000 },
  }
  const policy = compileInbound({ receives: declared, binary: undefined, limits, path: 'secureWs', sanitizeHtml })
  const state = createInboundState(policy, 0)
  const socket = { policy, state, session: null, owner: undefined, request: {}, clock: { now: () => 0 } }
  const out = compileOutbound({ encode: 'html', sends: declared, path: 'secureWs', sanitizeHtml, warn: () => {} })
  const works = new Map<string, Work>()
  for (const [type, { message }] of Object.entries(cases)) {
    const value = { type, ...message }
    const frame = Buffer.from(JSON.stringify(value))
    if (receive(frame, false, socket, 0).kind !== 'deliver') throw new Error(`${type} is refused in ${root}`)
    works.set(`in ${type} (${frame.length} B)`, () => {
      // Once a part of `receive`.
      admitFrame?.(frame.length, false, socket, 0)
      return receive(frame, false, socket, 0)
    })
    works.set(`out ${type}`, () => encodeOutgoing(value, out))
  }
  return works
}

function microseconds(work: Work, times: number): number {
  const start = process.cpuUsage()
  for (let index = 0; index < times; index++) work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / times
}

/** The side that is measured: for each case, the microseconds of one message. */
async function answer(root: string): Promise<void> {
  const works = await worksOf(root)
  // Long enough for the clock, and for V8 to compile before the first round, which is thrown away.
  const times = new Map(Array.from(works, ([name, work]) => [name, 60_000 / microseconds(work, 5_000)]))
  process.on('message', () => {
    process.send?.(Array.from(works, ([name, work]) => [name, microseconds(work, Math.ceil(times.get(name) ?? 1))]))
  })
  process.send?.('ready')
}

async function ask(child: ChildProcess): Promise<Map<string, number>> {
  const found = once(child, 'message')
  child.send('run')
  return new Map((await found)[0])
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN
}

async function compare(other: string, rounds: number): Promise<void> {
  const roots = [resolve(import.meta.dirname, '..'), resolve(other)]
  const env = { ...process.env, NODE_ENV: 'production' }
  const children = roots.map((root) => fork(import.meta.filename, ['answer', root], { env }))
  await Promise.all(children.map((child) => once(child, 'message')))
  const [ours, theirs]: [Map<string, number>[], Map<string, number>[]] = [[], []]
  const [here, there] = children
  for (let round = 0; round <= rounds && here !== undefined && there !== undefined; round++) {
    const [one, two] = round % 2 === 0 ? [here, there] : [there, here]
    const [first, second] = [await ask(one), await ask(two)]
    if (round === 0) continue
    ours.push(round % 2 === 0 ? first : second)
    theirs.push(round % 2 === 0 ? second : first)
  }
  for (const child of children) child.kill()
  for (const name of ours[0]?.keys() ?? []) {
    const of = (each: Map<string, number>) => each.get(name) ?? Number.NaN
    const ratio = median(ours.map((each, round) => of(each) / of(theirs[round] ?? new Map())))
    const times = [median(ours.map(of)), median(theirs.map(of))].map((us) => us.toFixed(2).padStart(8))
    console.log(`${name.padEnd(28)} ${ratio.toFixed(2)}   ${times.join(' : ')} us`)
  }
}

const [first, second] = process.argv.slice(2)
if (process.send !== undefined && first === 'answer' && second !== undefined) await answer(second)
else await compare(first ?? '.', Number(second ?? 11))
