/** Writes the table of docs/events.md out of the catalogue. `npm run docs` runs it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditEvents } from '../../src/telemetry/events.ts'
import { root, textOf } from './source-files.ts'

export const eventsPage = 'docs/events.md'

const table = /^\| event \| level \|[^\n]*\n(?:\|[^\n]*\n)*/m

export function writtenEvents(page: string): string {
  const rows = Object.entries(auditEvents).map(([type, { level, when, fields }]) => {
    return `| \`${type}\` | ${level} | ${when} | ${fields.map((field) => `\`${field}\``).join(', ')} |`
  })
  return page.replace(table, `${['| event | level | when | more fields |', '|---|---|---|---|', ...rows].join('\n')}\n`)
}

if (import.meta.main) {
  writeFileSync(join(root, eventsPage), writtenEvents(textOf(eventsPage)))
}
