import type { FastifyRequest } from 'fastify'
import { badOption } from '../errors.ts'
import type { Session } from '../session/session.ts'
import { type Authenticator, type FoundSession, factories } from './authenticator.ts'
import { refuseNoFunction, refuseUnknownOptions } from './known-options.ts'

/** Options of `fromRequest`. */
export interface FromRequestOptions {
  /**
   * Whether browsers attach what the other plugin reads by themselves. Default `true`, right for cookies; `false` for
   * tokens in `Authorization` only, as with `@fastify/jwt` without its `cookie` option.
   */
  readonly ambient?: boolean
  /**
   * Asked again while a socket is open, each `session.revalidateEvery`: `false`, `null` or `undefined` ends the
   * session, `true` keeps it, a session takes its place. Default: nobody is asked.
   */
  readonly revalidate?: (session: Session) => boolean | FoundSession | Promise<boolean | FoundSession>
}

/**
 * Sessions that another plugin has put on the request: `@fastify/session`, `@fastify/secure-session`, `@fastify/jwt`.
 * Register that plugin before this one, so that its `onRequest` hook has run when the handshake is decided.
 *
 * Name every member of the session yourself: what is on the request is the other plugin's object, and its `id` is often
 * a method, or missing. Return `null` for somebody who is not signed in, though they have a session.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function fromRequest(
  find: (request: FastifyRequest) => FoundSession | Promise<FoundSession>,
  options: FromRequestOptions = {},
): Authenticator {
  refuseNoFunction('fromRequest', find, '`(request) => request.session.user ?? null`', true)
  refuseUnknownOptions('fromRequest', options, ['ambient', 'revalidate'])
  const { ambient = true, revalidate } = options
  if (typeof ambient !== 'boolean') throw badOption('fromRequest.ambient', ambient, 'Write true or false.')
  refuseNoFunction('fromRequest.revalidate', revalidate, '`(session) => store.has(session.id)`')
  return {
    name: 'fromRequest',
    ambient,
    accepts: { ambient },
    // The request alone: called as a method, a second argument of a user's function would be ours to break.
    authenticate: (request) => find(request),
    ...(revalidate === undefined ? {} : { revalidate }),
  }
}

factories.set(fromRequest, 'fromRequest((request) => request.session.user ?? null)')
