import { badOption, CloseCode } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import type { DeliveredBinary, Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

const fileType = lazyLoad<typeof import('file-type')>('file-type')

/**
 * The types a route lets in, as a set. A type without a magic number (`text/plain`, `image/svg+xml`, `application/json`) cannot be
 * told from another by its bytes, so it cannot be allowed here: it fails registration.
 */
export function compileBinary(binary: unknown, path: string): ReadonlySet<string> | undefined {
  if (binary === undefined) return undefined
  if (!Array.isArray(binary) || binary.length === 0) {
    throw badOption(path, binary, "Write a list of MIME types, as `['image/png', 'image/jpeg']`, or leave it out.")
  }
  const recognised: ReadonlySet<string> = fileType().supportedMimeTypes
  for (const [index, mime] of binary.entries()) {
    if (typeof mime === 'string' && recognised.has(mime)) continue
    throw badOption(
      `${path}[${index}]`,
      mime,
      'Only types with a magic number can be checked, in lower case and without wildcards.',
    )
  }
  return new Set(binary)
}

/**
 * Judged by the first bytes, never by what the client calls it (CS-15). The answer is what the file *starts* as: a polyglot (a PNG
 * with a ZIP behind it) is the PNG it claims to be, so do not serve it under another type.
 */
export async function readBinary(bytes: Buffer, allowed: ReadonlySet<string>): Promise<DeliveredBinary | Refusal> {
  let found: { mime: string } | undefined
  try {
    found = await fileType().fileTypeFromBuffer(bytes)
  } catch {
    // A truncated or twisted container: file-type gave up, and so do we.
    found = undefined
  }
  if (found === undefined) {
    return refuse('SWS_BINARY_REFUSED', 'binary: no known magic number', CloseCode.UnsupportedData)
  }
  if (!allowed.has(found.mime)) {
    return refuse('SWS_BINARY_REFUSED', `binary: ${found.mime} is not allowed here`, CloseCode.UnsupportedData)
  }
  return { kind: 'deliver-binary', bytes, mime: found.mime }
}
