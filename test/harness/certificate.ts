import { generate } from 'selfsigned'

export interface TestCertificate {
  readonly key: string
  readonly cert: string
}

const names = ['localhost', 'app.example', '*.app.example', 'app.example.com', '*.example.com', 'ws.example.com']
const addresses = ['127.0.0.1', '::1']

let cached: Promise<TestCertificate> | undefined

/** A self-signed certificate for loopback and the names that tests use, made once per process and never stored. */
export function testCertificate(): Promise<TestCertificate> {
  cached ??= generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...names.map((value) => ({ type: 2 as const, value })),
          ...addresses.map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  }).then(({ private: key, cert }) => ({ key, cert }))
  return cached
}
