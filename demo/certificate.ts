import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { generate } from 'selfsigned'

export interface Certificate {
  readonly key: string
  readonly cert: string
}

const folder = new URL('.cert/', import.meta.url)
const day = 86_400_000

/** A certificate for the names of this machine, made at the first start and kept out of git; made anew before it ends. */
export async function localCertificate(): Promise<Certificate> {
  return (await kept()) ?? (await made())
}

async function kept(): Promise<Certificate | undefined> {
  try {
    const key = await readFile(new URL('key.pem', folder), 'utf8')
    const cert = await readFile(new URL('cert.pem', folder), 'utf8')
    const ends = Date.parse(new X509Certificate(cert).validTo)
    return ends > Date.now() + day ? { key, cert } : undefined
  } catch {
    return undefined
  }
}

async function made(): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 90 * day),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  const certificate = { key: pems.private, cert: pems.cert }
  await mkdir(folder, { recursive: true })
  // Only its owner may read the key.
  await writeFile(fileURLToPath(new URL('key.pem', folder)), certificate.key, { mode: 0o600 })
  await writeFile(fileURLToPath(new URL('cert.pem', folder)), certificate.cert)
  return certificate
}
