import { readFileSync } from 'node:fs'
import { handshakeText } from '../harness/raw-client.ts'

/** The rules that one server of the matrix follows, in words of no library. */
export interface MatrixPolicy {
  readonly origins: readonly string[]
  readonly sameOrigin: boolean
  readonly wildcardDepth: 1 | 'any'
  readonly allowedHosts: readonly string[]
  readonly requireTls: boolean
  readonly trustProxy: false | readonly string[]
  readonly allowMissingOrigin: boolean
  readonly allowNullOrigin: boolean
  readonly fetchMetadata: boolean
}

export interface MatrixRow {
  readonly id: string
  readonly strength: 'must' | 'should' | 'choice'
  readonly policy: string
  readonly tls: boolean
  /** The exact bytes of the handshake, latin-1. */
  readonly bytes: string
  /** Every status that is a right answer; 101 among them only where the row must, or may, be admitted. */
  readonly statuses: readonly number[]
  readonly why: string
}

/** Long runs are kept short in the file: `["a:b\r\n", 2100]` is that text 2100 times. */
type Text = string | readonly (string | readonly [string, number])[]

interface StoredRow extends Omit<MatrixRow, 'bytes'> {
  readonly request?: { readonly method: string; readonly target: string; readonly httpVersion: string }
  readonly headers?: readonly (readonly [string, Text])[]
  readonly rawRequest?: Text
}

interface Stored {
  readonly policies: Readonly<Record<string, MatrixPolicy>>
  readonly rows: readonly StoredRow[]
}

export interface Matrix {
  readonly policies: ReadonlyMap<string, MatrixPolicy>
  readonly rows: readonly MatrixRow[]
}

export function readMatrix(): Matrix {
  const stored: Stored = JSON.parse(readFileSync(new URL('handshake-matrix.json', import.meta.url), 'utf8'))
  return {
    policies: new Map(Object.entries(stored.policies)),
    rows: stored.rows.map(({ request, headers = [], rawRequest, ...row }) => ({
      ...row,
      bytes:
        rawRequest === undefined
          ? handshakeText({ ...request, headers: headers.map(([name, value]) => [name, spellOut(value)] as const) })
          : spellOut(rawRequest),
    })),
  }
}

/** The matrix's policy as options of this package. */
export function optionsOf(policy: MatrixPolicy) {
  const origins = policy.origins.map((origin) =>
    policy.wildcardDepth === 'any' ? origin.replace('://*.', '://**.') : origin,
  )
  return {
    origins: origins.length === 0 ? ('same-origin' as const) : origins,
    hosts: policy.allowedHosts,
    allowMissingOrigin: policy.allowMissingOrigin,
    dangerouslyAllowNullOrigin: policy.allowNullOrigin,
    dangerouslyAllowFileOrigin: false,
    allowInsecureTransport: !policy.requireTls,
  }
}

function spellOut(text: Text): string {
  return typeof text === 'string'
    ? text
    : text.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1]))).join('')
}
