#!/usr/bin/env node
/** `npx fastify-secure-ws <command>`. The exit code is 0 for yes, 1 for no, 2 for a command that is wrong. */
import { lock, lockUsage } from './lock.ts'
import { verifyAuditFiles, verifyAuditUsage } from './verify-audit-files.ts'
import { typesUsage, writeTypes } from './write-types.ts'

type Command = (args: readonly string[]) => Promise<number>

const commands = new Map<string | undefined, Command>([
  ['lock', lock],
  ['types', writeTypes],
  ['verify-audit', verifyAuditFiles],
])

const [name, ...args] = process.argv.slice(2)
const command = commands.get(name)
if (command !== undefined) process.exitCode = await command(args)
else {
  const asked = name === 'help' || name === '--help'
  ;(asked ? process.stdout : process.stderr).write([lockUsage, typesUsage, verifyAuditUsage].join('\n'))
  process.exitCode = asked ? 0 : 2
}
