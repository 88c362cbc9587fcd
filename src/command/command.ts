#!/usr/bin/env node
/** `npx fastify-secure-ws <command>`. The exit code is 0 for yes, 1 for no, 2 for a command that is wrong. */
import { verifyAuditFiles } from './verify-audit-files.ts'

const usage = `npx fastify-secure-ws verify-audit [--key-file FILE] [--expect HEAD] [--after HEAD] FILE...

  Reads the records of auditChain(), and tells what was altered, removed, put in or moved.
  Several files are one chain, in the order given.

  --key-file FILE   the key of the chain; or set AUDIT_KEY
  --expect HEAD     a head that was kept elsewhere, as number:digest: the files must hold it
  --after HEAD      the head of the file before, where that is not at hand
`

const [name, ...args] = process.argv.slice(2)
if (name === 'verify-audit') process.exitCode = await verifyAuditFiles(args, usage)
else {
  const asked = name === 'help' || name === '--help'
  ;(asked ? process.stdout : process.stderr).write(usage)
  process.exitCode = asked ? 0 : 2
}
