import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import type { AskAgain } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { type Authenticator, type FoundSession, factories } from './authenticator.ts'
import { RefusedCredential } from './credential.ts'
import { refuseNoFunction, refuseUnknownOptions } from './known-options.ts'
import { known } from './known-session.ts'

/** Options of `clientCertificate`. */
export interface ClientCertificateOptions {
  /**
   * The session of a certificate whose chain this server has verified. Decide by `fingerprint256`, or by issuer and serial
   * number; a `subject.CN` is unique only if your authority makes it so, and is an array when there are several.
   */
  readonly load: (certificate: DetailedPeerCertificate, request: FastifyRequest) => FoundSession | Promise<FoundSession>
  /**
   * Asked again while a socket is open, each `session.revalidateEvery`: `false`, `null` or `undefined` ends the
   * session, `true` keeps it, a session takes its place. Default: only whether the certificate has ended is looked at.
   */
  readonly revalidate?: (session: Session) => boolean | FoundSession | Promise<boolean | FoundSession>
}

/**
 * Mutual TLS that ends at this server (`https: { requestCert: true, ca }`). A certificate the TLS layer did not verify is
 * refused, also with `rejectUnauthorized: false`. Headers in which a proxy passes a certificate on are not read: anybody
 * can write them. The session ends with the next revalidation after the certificate did; give it an `expiresAt` for sooner.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function clientCertificate(options: ClientCertificateOptions): Authenticator {
  refuseUnknownOptions('clientCertificate', options, ['load', 'revalidate'])
  const { load, revalidate } = options
  refuseNoFunction('clientCertificate.load', load, '`(certificate) => devices.get(certificate.fingerprint256)`', true)
  refuseNoFunction('clientCertificate.revalidate', revalidate, '`(session) => devices.has(session.userId)`')
  const askAgainUntil =
    (endsAt: number): AskAgain =>
    (session) => {
      if (endsAt <= Date.now()) return false
      return revalidate === undefined ? true : revalidate(session)
    }

  return {
    name: 'clientCertificate',
    ambient: true,
    scheme: { type: 'X509' },
    authenticate(request) {
      const socket = request.raw.socket
      if (!isTls(socket)) return null
      const certificate = socket.getPeerCertificate(true)
      // Node answers with an empty object when the client sent none.
      if (certificate === null || certificate === undefined || Object.keys(certificate).length === 0) return null
      if (!socket.authorized) throw new RefusedCredential('a client certificate that was not verified')
      const endsAt = Date.parse(certificate.valid_to)
      if (!isValidAt(Date.now(), Date.parse(certificate.valid_from), endsAt)) {
        throw new RefusedCredential('a client certificate outside its time of validity')
      }
      return known(load(certificate, request), { askAgain: askAgainUntil(endsAt) })
    },
    asksAgain: revalidate !== undefined,
  }
}

/** A resumed TLS session is not verified again, so a certificate may have ended since (RFC 8446 section 4.6.1). NaN: no. */
export function isValidAt(now: number, from: number, to: number): boolean {
  return from <= now && now < to
}

function isTls(socket: unknown): socket is TLSSocket {
  return (
    typeof socket === 'object' &&
    socket !== null &&
    'encrypted' in socket &&
    socket.encrypted === true &&
    'getPeerCertificate' in socket
  )
}

factories.set(clientCertificate, 'clientCertificate({ load })')
