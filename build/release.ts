/**
 * Stands before `npm publish`: whatever keeps a version from being released, one line each, and exit code 1. Usage:
 * `node build/release.ts v1.2.3`, with the tag that is being released.
 */
import { readFileSync } from 'node:fs'

export interface Manifest {
  readonly version: string
  readonly repository?: { readonly url?: string } | string
  readonly bugs?: { readonly url?: string } | string
  readonly homepage?: string
}

/** The reasons not to release what the tag names; none where it may go out. */
export function obstacles(manifest: Manifest, changelog: string, tag: string): string[] {
  const { version, repository, bugs, homepage } = manifest
  const found: string[] = []
  for (const [name, value] of Object.entries({ repository, bugs, homepage })) {
    const address = typeof value === 'object' ? value.url : value
    // npm compares `repository` with the place that the provenance names; a made-up address fails there, and misleads here.
    if (address === undefined || !/^(?:git\+)?https:\/\/[^/]+\/\S/.test(address))
      found.push(`package.json: \`${name}\` needs the public https address of the project`)
  }
  if (tag !== `v${version}`) found.push(`package.json: \`version\` is ${version}, and the tag is ${tag}`)
  const heading = new RegExp(`^## ${version.replaceAll('.', '\\.')} - \\d{4}-\\d{2}-\\d{2}$`, 'm')
  if (!heading.test(changelog)) found.push(`CHANGELOG.md: a heading \`## ${version} - YYYY-MM-DD\` is missing`)
  return found
}

if (import.meta.main) {
  const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
  const found = obstacles(JSON.parse(read('package.json')), read('CHANGELOG.md'), process.argv[2] ?? '')
  for (const line of found) console.error(line)
  process.exitCode = found.length > 0 ? 1 : 0
}
