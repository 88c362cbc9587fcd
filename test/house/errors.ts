/** Writes the second column of docs/errors.md: which calls throw a code, as their docstrings say. `npm run docs` runs it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicSurface, type Surface } from './api.ts'
import { root, textOf } from './source-files.ts'

export const errorsPage = 'docs/errors.md'

/** From each code that a docstring names behind `@throws` to the calls that it belongs to, as a reader writes them. */
export function throwersOf({ exported, routes, socket }: Surface): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const note = (throws: readonly string[], call: string): void => {
    for (const [code] of throws.join(' ').matchAll(/\bSWS_\w+/g)) {
      const calls = found.get(code) ?? []
      if (!calls.includes(call)) calls.push(call)
      found.set(code, calls)
    }
  }
  for (const { name, throws, members } of [...exported, ...routes]) {
    note(throws, name === 'secureWs' ? '`register`' : `\`${name}\``)
    for (const member of members) note(member.throws, `\`${ownerOf(name)}.${member.name}\``)
  }
  for (const { name, throws } of socket) note(throws, `\`socket.${name}\``)
  return found
}

function ownerOf(name: string): string {
  if (name === 'SecureWsInstance') return 'app.secureWs'
  if (name === 'Audience' || name === 'RouteAudience') return 'to(room)'
  if (name === 'EmitterAudience') return 'emitter.to(room)'
  return name[0] === name[0]?.toLowerCase() ? name : `${name.charAt(0).toLowerCase()}${name.slice(1)}`
}

/** The rows of the page: the code, and its line. */
export function rowsOf(page: string): Map<string, string> {
  return new Map([...page.matchAll(/^\| `(SWS_\w+)` \|.*$/gm)].map(([line, code = '']) => [code, line]))
}

export function writtenErrors(page: string, throwers: ReadonlyMap<string, readonly string[]>): string {
  return page.replace(/^\| `(SWS_\w+)` \| [^|]* \|/gm, (_row, code: string) => {
    return `| \`${code}\` | ${throwers.get(code)?.join(', ') ?? 'nothing: see why'} |`
  })
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(root, errorsPage), writtenErrors(textOf(errorsPage), throwersOf(publicSurface())))
}
