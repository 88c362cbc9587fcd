/** Writes docs/api.md out of the public declarations and their docstrings. `npm run docs` runs it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Declaration, type Member, readDeclarations } from './declarations.ts'
import { root } from './source-files.ts'

export const apiPage = 'docs/api.md'

/** Where each part of the house stands on the page; the first prefix that fits. */
const groups: readonly { readonly title: string; readonly paths: readonly string[] }[] = [
  {
    title: 'The plugin and its options',
    paths: ['src/plugin', 'src/fastify.ts#Registered', 'src/options/', 'src/admission/', 'src/capacity/'],
  },
  { title: 'Routes', paths: ['src/fastify.ts#Route', 'src/fastify.ts#Receive', 'src/socket-route'] },
  {
    title: 'app.secureWs',
    paths: [
      'src/decorator',
      'src/contract/',
      'src/lock/',
      'src/telemetry/health',
      'src/remote/order',
      'src/remote/remote-sockets',
      'src/remote/whom',
      'src/rooms/',
      'src/revocation/',
    ],
  },
  { title: 'The socket', paths: ['src/fastify.ts', 'src/ws/', 'src/connection/'] },
  { title: 'Sessions and authenticators', paths: ['src/session/', 'src/authentication/'] },
  { title: 'Text that leaves', paths: ['src/outbound/', 'src/sanitizing/', 'src/schema/'] },
  { title: 'Several nodes', paths: ['src/remote/emitter.ts', 'src/relay/', 'src/redis/'] },
  { title: 'Errors, close codes and events', paths: ['src/errors', 'src/telemetry/'] },
  { title: 'For clients', paths: ['src/client/'] },
  { title: 'For tests', paths: ['src/testing/'] },
]
const withoutExport = 'Types that are not exported'

/** What Fastify's own types take from us, without a name that could be imported. */
const ofRoutes = ['RouteSecureWs', 'ReceiveRules', 'RouteAudience']

/** Inference, and the parts of Redis clients that are called: a reader hands one over, and writes none. */
const isPlumbing = ({ path, name }: Declaration) =>
  /^src\/(?:fastify|redis\/(?:node-redis|ioredis|commands))\.ts$|^src\/schema\//.test(path) || name === 'MaybePromise'

export interface Surface {
  readonly exported: readonly Declaration[]
  readonly testing: readonly Declaration[]
  readonly client: readonly Declaration[]
  readonly routes: readonly Declaration[]
  /** Mentioned by the above, and not exported. */
  readonly unexported: readonly Declaration[]
  /** The socket's own members, then those of `ws` that do something else here. */
  readonly socket: readonly Member[]
  readonly events: readonly Member[]
  /** Words in docstrings that editors take for a tag. */
  readonly strayTags: readonly string[]
}

/** Everything that somebody who imports the package can write or read. */
export function publicSurface(): Surface {
  const source = readDeclarations('src')
  const exported = [...source.exportsOf('src/index.ts').values()].filter(({ name }) => name !== 'default')
  const testing = [...source.exportsOf('src/testing/testing.ts').values()]
  const client = [...source.exportsOf('src/client/client.ts').values()]
  const routes = ofRoutes.map((name) => source.localOf('src/fastify.ts', name))
  const members = source.localOf('src/fastify.ts', 'SecureMembers').members
  const names = new Set(members.map(({ name }) => name))
  return {
    exported,
    testing,
    client,
    routes,
    unexported: unexportedOf([...exported, ...testing, ...client, ...routes]),
    socket: [
      ...members,
      ...source.classMembersOf('src/ws/socket.ts', 'SecureWebSocket').filter(({ name }) => !names.has(name)),
    ],
    events: source.eventsOf('src/fastify.ts', 'Listen'),
    strayTags: [...source.strayTags],
  }
}

function unexportedOf(mentioning: readonly Declaration[]): Declaration[] {
  const found = new Map<string, Declaration>()
  const look = ({ unexported }: Declaration): void => {
    for (const each of unexported) {
      if (found.has(each.name) || isPlumbing(each)) continue
      found.set(each.name, each)
      look(each)
    }
  }
  mentioning.forEach(look)
  return [...found.values()].sort(byName)
}

function byName(a: Declaration, b: Declaration): number {
  return a.name.toLowerCase().localeCompare(b.name.toLowerCase(), 'en') || (a.name < b.name ? 1 : -1)
}

export function writtenApi(surface: Surface): string {
  const declarations = [...surface.exported, ...surface.testing, ...surface.client, ...surface.routes]
  const sections = groups.map(({ title }) => ({
    title,
    declarations: declarations.filter((each) => groupOf(each) === title).sort(byName),
  }))
  sections.push({ title: withoutExport, declarations: [...surface.unexported] })
  const slug = slugs()
  const headed = sections.map((section) => ({
    ...section,
    at: slug(section.title),
    declarations: section.declarations.map((declaration) => ({ declaration, at: slug(declaration.name) })),
  }))
  const contents = headed.map(({ title, at, declarations: each }) => {
    const links = each.map(({ declaration, at: anchor }) => `[\`${declaration.name}\`](#${anchor})`)
    return `- [${title}](#${at})${links.length > 0 ? `: ${links.join(', ')}` : ''}`
  })
  const body = headed.map(({ title, declarations: each }) => {
    const texts = each.map(({ declaration }) => written(declaration, surface))
    return [`## ${title}`, ...(intros[title] ?? []), ...texts].join('\n\n')
  })
  return `${[intro, contents.join('\n'), ...body].join('\n\n')}\n`
}

const intro = `# API

<!-- \`npm run docs\` writes this page out of the declarations in src/ and their docstrings: change it there. -->

Every export of \`fastify-secure-ws\`, \`fastify-secure-ws/client\` and \`fastify-secure-ws/testing\`, with what an editor shows. What each option is for and
what loosening it costs stands in [options.md](options.md); each code in [errors.md](errors.md); each event in
[events.md](events.md). Sizes are in bytes and times in milliseconds, unless a line says otherwise.`

const intros: Readonly<Record<string, readonly string[]>> = {
  Routes: [
    'A route with `websocket: true` takes these under `secureWs`. Its handler, its listeners and its request are typed by them.',
  ],
  'For clients': ['Of `fastify-secure-ws/client`, which [client.md](client.md) explains.'],
  'app.secureWs': ['Every Fastify instance below the registration has it.'],
  [withoutExport]: [
    'The types above mention these. They cannot be imported by name: `Parameters<typeof html>[1]`, for example, leads to one.',
  ],
}

function groupOf({ path, name }: Declaration): string {
  const found = groups.find(({ paths }) => paths.some((prefix) => `${path}#${name}`.startsWith(prefix)))
  if (found === undefined) throw new Error(`${path} has no group in test/house/api.ts`)
  return found.title
}

/** Anchors as GitHub makes them: a second heading of one name gets a number. */
export function slugs(): (heading: string) => string {
  const used = new Map<string, number>()
  return (heading) => {
    const base = heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
    const before = used.get(base) ?? 0
    used.set(base, before + 1)
    return before === 0 ? base : `${base}-${before}`
  }
}

function written(declaration: Declaration, surface: Surface): string {
  const { name, doc, throws, members } = declaration
  const parts = [`### \`${name}\``, `\`\`\`typescript\n${broken(declaration.signature)}\n\`\`\``]
  if (name === 'secureWs') parts.push('The default export; what `require` returns is it, too.')
  if (doc !== '') parts.push(asMarkdown(doc))
  for (const text of throws) parts.push(`Throws ${text}`)
  if (members.length > 0) parts.push(table('member', members))
  if (name === 'SecureSocket') {
    parts.push(
      'A handler gets one. It is a `WebSocket` of [ws](https://github.com/websockets/ws), and has what that has. These are its own, or do something of their own:',
      table('member', surface.socket),
      'Its events, for `on` and the other six ways to listen. On a route without `receives` and `binary`, `message` comes as in ws: `(data, isBinary)`.',
      table('event', surface.events, true),
    )
  }
  return parts.join('\n\n')
}

function table(what: string, members: readonly Member[], named = false): string {
  const rows = members.map(({ name, signature, doc, throws }) => {
    const first = named
      ? `\`${name}\`: \`${cell(signature)}\``
      : signature
          .split('\n')
          .map((line) => `\`${cell(line)}\``)
          .join('<br>')
    const text = [doc, ...throws.map((each) => `Throws ${each}`)].filter(Boolean).map((each) => cell(each))
    return `| ${first} | ${text.map((each) => (/[.:]$/.test(each) ? each : `${each}.`)).join(' ')} |`
  })
  return [`| ${what} | |`, '|---|---|', ...rows].join('\n')
}

function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()
}

/** Lines of a paragraph are joined; lists stay. */
function asMarkdown(doc: string): string {
  return doc
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.replace(/\n(?!\s*[-*] )\s*/g, ' ').trim())
    .join('\n\n')
}

/** A long union, one member a line. */
function broken(signature: string): string {
  if (signature.length <= 110 || !/^type /.test(signature)) return signature
  const [head = '', ...rest] = signature.split(' = ')
  const union = rest.join(' = ')
  return /[{(<]/.test(union) ? signature : `${head} =\n  | ${union.split(' | ').join('\n  | ')}`
}

if (process.argv[1] === import.meta.filename) writeFileSync(join(root, apiPage), writtenApi(publicSurface()))
