import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { chainKey } from '../telemetry/audit-record.ts'
import { readHead, verifyAudit } from '../telemetry/verify-audit.ts'

export const verifyAuditUsage = `npx fastify-secure-ws verify-audit [--key-file FILE] [--expect HEAD] [--after HEAD] FILE...

  Reads the records of auditChain(), and tells what was altered, removed, put in or moved.
  Several files are one chain, in the order given.

  --key-file FILE   the key of the chain; or set AUDIT_KEY
  --expect HEAD     a head that was kept elsewhere, as number:digest: the files must hold it
  --after HEAD      the head of the file before, where that is not at hand
`

/** @returns the exit code */
export async function verifyAuditFiles(args: readonly string[]): Promise<number> {
  try {
    return await verify(args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${verifyAuditUsage}`)
    return 2
  }
}

async function verify(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { 'key-file': { type: 'string' }, expect: { type: 'string' }, after: { type: 'string' } },
  })
  if (positionals.length === 0) throw new Error('Name a file.')
  const { expect } = values
  if (expect !== undefined && readHead(expect) === undefined) throw new Error('--expect is number:digest.')
  const after = values.after === undefined ? undefined : readHead(values.after)
  if (values.after !== undefined && after === undefined) throw new Error('--after is number:digest.')
  const secret = await keyOf(values['key-file'])
  const key = secret === undefined ? undefined : chainKey(secret)
  const { faults, records, head, wrongKey } = await verifyAudit(linesOf(positionals), { key, expect, after })
  for (const { line, problem } of faults) process.stdout.write(`line ${line}: ${problem}\n`)
  if (wrongKey)
    process.stdout.write(
      `No record fits: ${key ? 'the key is another one.' : 'was the chain written with a key? Give --key-file.'}\n`,
    )
  if (faults.length > 0) return 1
  process.stdout.write(`${records} records, nothing altered. The head is ${head}\n`)
  return 0
}

/** The key without the line break that editors put behind it. */
async function keyOf(file: string | undefined): Promise<string | undefined> {
  const text = file === undefined ? process.env.AUDIT_KEY : await readFile(file, 'utf8')
  return text?.replace(/\r?\n$/, '')
}

async function* linesOf(files: readonly string[]): AsyncGenerator<string> {
  for (const file of files) yield* createInterface({ input: createReadStream(file), crlfDelay: 0 })
}
