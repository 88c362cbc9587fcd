import { readFile, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { contractTypes } from './contract-types.ts'

export const typesUsage = `npx fastify-secure-ws types [--out FILE] CONTRACT

  Writes the TypeScript types of the messages in a contract, an AsyncAPI 3 document as app.secureWs.contract() makes it,
  for connect<...>() of fastify-secure-ws/client.

  CONTRACT          a URL, a file, or - for stdin
  --out FILE        where to; left out, to stdout
`

/** How long a server may take to answer, in ms. */
const patience = 30_000

/** @returns the exit code */
export async function writeTypes(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { out: { type: 'string' } },
    })
    const [source] = positionals
    if (source === undefined || positionals.length > 1)
      throw new Error('Name one contract: a URL, a file, or - for stdin.')
    const types = contractTypes(await contractAt(source))
    if (values.out === undefined) process.stdout.write(types)
    else await writeFile(values.out, types)
    return 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${typesUsage}`)
    return 2
  }
}

async function contractAt(source: string): Promise<string> {
  if (source === '-') return text(process.stdin)
  if (!/^https?:\/\//i.test(source)) return readFile(source, 'utf8')
  const answer = await fetch(source, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(patience) })
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`)
  return answer.text()
}
