/** Writes `dist`: what `npm pack` takes along besides the pages. */
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.ts'
import { writeDeclarations } from './declarations.ts'

const out = fileURLToPath(new URL('../dist/', import.meta.url))

await rm(out, { recursive: true, force: true })
await Promise.all([bundle(out), writeDeclarations(out)])
