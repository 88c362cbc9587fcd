import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

/** An OpenID provider on loopback: discovery, a key set, and tokens that it signs. */
export interface OpenIdProvider {
  readonly issuer: string
  /** An access token (RFC 9068) for `ada` and the audience `chat`; what is given says it differently. */
  token(claims?: JWTPayload, header?: { readonly typ?: string; readonly key?: CryptoKey }): Promise<string>
  /** How often somebody asked for the key set. */
  readonly keySetRequests: number
  close(): Promise<void>
}

export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const key = { ...(await exportJWK(publicKey)), kid: 'first', alg: 'RS256', use: 'sig' }
  let asked = 0
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }))
    } else if (request.url === '/keys') {
      asked++
      response.end(JSON.stringify({ keys: [key] }))
    } else response.writeHead(404).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    token: (claims = {}, { typ = 'at+jwt', key: signs = privateKey } = {}) =>
      new SignJWT({ iss: issuer, sub: 'ada', aud: 'chat', jti: crypto.randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'first', typ })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(signs),
    get keySetRequests() {
      return asked
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
