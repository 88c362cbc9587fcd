import type { FastifyRequest } from 'fastify'
import { type Authenticator, factories } from './authenticator.ts'
import { type BearerOptions, type BearerPlan, bearerPlan } from './bearer-options.ts'
import {
  authorizationCredential,
  isRefusedCredential,
  protocolCredential,
  protocolsWithPrefix,
  RefusedCredential,
} from './credential.ts'
import { KnownSession } from './known-session.ts'
import { tokenSession } from './token-session.ts'
import { jose, verifiedClaims } from './verified-claims.ts'

/** The entry of `Sec-WebSocket-Protocol` that carries a token is this and the token. */
export const bearerPrefix = 'bearer.'
/**
 * JSON Web Tokens (RFC 7519, RFC 8725; ASVS 5.0 V9). Keys come from the options alone: `jku`, `x5u`, `jwk` and `x5c` in a
 * token are not read, and its `kid` only chooses among known keys. `exp` is required.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function bearer(options: BearerOptions): Authenticator {
  const plan = bearerPlan(options, bearerPrefix)
  // At registration, so that the first handshake does not pay for it.
  jose()
  const { revalidate, queryName } = plan

  async function sessionOf(token: string): Promise<KnownSession | null> {
    const claims = await verifiedClaims(token, plan)
    // Checked also when `session` makes the session: what it would be given is then known to be well formed.
    const byClaims = tokenSession(claims, token, plan, Date.now())
    const session = plan.session === undefined ? byClaims : await plan.session(claims)
    if (session === null || session === undefined) return null
    // A log-out since then hits the token, whether or not it says when the person signed in.
    return new KnownSession(session, { issuedAt: typeof claims.iat === 'number' ? claims.iat * 1000 : undefined })
  }

  return {
    name: 'bearer',
    ambient: false,
    looksFor:
      "`Authorization: Bearer <token>`, or from a page a sub-protocol: `new WebSocket(url, ['secure-ws', 'bearer.' + token])`",
    scheme: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: waysInWords(plan) },
    accepts: acceptedBy(plan),
    loosened: queryName === undefined ? [] : ['bearer.dangerouslyAllowQueryToken'],
    credentialProtocols: (offered) => protocolsWithPrefix(offered, bearerPrefix),
    authenticate(request) {
      const token = onlyToken(request, plan)
      return token === undefined ? null : sessionOf(token)
    },
    async refresh(session, token) {
      try {
        const next = (await sessionOf(token))?.session
        // Another subject's token must not take over a socket that stands in this one's rooms (OWASP: token rotation).
        if (!next || next.userId === undefined || next.userId !== session.userId) return null
        // A token's own session gets a new id with every `jti`; the socket keeps the one it is known by. A session that the
        // application made is left as it is, and must have the id itself.
        return plan.session === undefined ? { ...next, id: session.id } : next
      } catch (error) {
        if (isRefusedCredential(error)) return null
        throw error
      }
    },
    ...(revalidate === undefined ? {} : { revalidate }),
  }
}

/** A copy: lists that a token is verified by are nobody's to change. */
function acceptedBy(plan: BearerPlan): Readonly<Record<string, unknown>> {
  const { algorithms, issuer, audience, clockTolerance, typ } = plan.verify
  return structuredClone({
    ...{ algorithms, issuer, audience, clockTolerance, typ, from: [...plan.from], userId: plan.userId },
    ...{ makesSession: plan.session !== undefined, keys: plan.keySource },
  })
}

/** The ways a token may travel, for whoever reads the contract. A token in a URL is not among them: it is for those who know. */
function waysInWords({ from }: BearerPlan): string {
  const header = from.has('authorization') && '`Authorization: Bearer <token>`'
  const protocol = from.has('protocol') && `\`${bearerPrefix}<token>\` among the offered sub-protocols`
  return [header, protocol].filter((way) => way !== false).join(', or ')
}

/** RFC 6750 section 2: a request carries a token in one way only. Two are refused, whether or not they are equal. */
function onlyToken(request: FastifyRequest, plan: BearerPlan): string | undefined {
  const tokens = [
    plan.from.has('authorization') ? authorizationCredential(request, 'bearer') : undefined,
    plan.from.has('protocol') ? protocolCredential(request, bearerPrefix) : undefined,
    ...(plan.queryName === undefined ? [] : queryTokens(request, plan.queryName)),
  ].filter((one) => one !== undefined)
  if (tokens.length > 1) throw new RefusedCredential('two tokens')
  return tokens[0]
}

/** Not `request.query`: its parser is the application's, and may answer with lists and objects. */
function queryTokens(request: FastifyRequest, name: string): readonly string[] {
  const url = request.raw.url ?? ''
  const at = url.indexOf('?')
  return at === -1 ? [] : new URLSearchParams(url.slice(at + 1)).getAll(name)
}

factories.set(bearer, 'bearer({ jwks, algorithms, issuer, audience })')
