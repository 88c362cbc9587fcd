import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Admitted } from '../connection/admitted.ts'
import { badOption, SecureWsError } from '../errors.ts'
import { isThenable, promiseOf } from '../thenable.ts'
import { GuardedPaths, withoutCredentials, withoutMarks } from './guarded-paths.ts'
import type { LastLook } from './handler.ts'
import { isBelow, type Upgrades } from './upgrade.ts'

/** The name of the constraint under which the routes of guards stand beside those of the application; the router makes code of it. */
const constraint = 'secureWsGuard'

export interface GuardsOptions {
  readonly app: FastifyInstance
  readonly left: readonly string[]
  /** The member of a sub-protocol list that stands beside a credential. */
  readonly marker: string
  /** The members of an offer that are credentials. */
  readonly credentialsOf: (request: FastifyRequest, offered: readonly string[]) => readonly string[]
  /** The handshake has passed everything; `undefined` when its stream is gone. */
  readonly admitted: (stream: NonNullable<FastifyReply['raw']['socket']>) => Admitted | undefined
  /** A listener behind the guard threw at a stream that is theirs. */
  readonly failed: (error: unknown, admitted: Admitted) => void
  /** From here on it is somebody else's socket. */
  readonly opened: (stream: NonNullable<FastifyReply['raw']['socket']>, admitted: Admitted) => void
  /** Nobody listens behind the guard. */
  readonly nobody: (request: FastifyRequest, reply: FastifyReply) => void
}

/**
 * Puts the whole admission in front of other WebSocket servers: each guarded path is a route of Fastify like any other, so
 * hooks, authenticators and the guard see its handshakes as they see ours. Where ours would open a socket, the stream goes
 * to the listeners that were there for it.
 */
export class Guards {
  readonly paths = new GuardedPaths()
  readonly #options: GuardsOptions
  #started = false

  constructor(options: GuardsOptions) {
    this.#options = options
  }

  /**
   * Declares the routes of one guard.
   * @throws SecureWsError `SWS_BAD_OPTION`
   */
  declare(path: string, mayUpgrade: LastLook, upgrades: Upgrades, config: () => object): void {
    if (this.#started)
      throw badOption('guard.path', path, 'Call `guard` before the start: what is open by then is open.')
    const { app, left } = this.#options
    this.paths.check(path, left)
    // May throw for its policy: then nothing is guarded, and the path may be declared again.
    const of = config()
    if (this.paths.all.length === 0) this.#addConstraint()
    this.paths.add(path)
    for (const url of [path, path.endsWith('/') ? `${path}*` : `${path}/*`]) {
      const route: RouteOptions = {
        method: 'GET',
        url,
        exposeHeadRoute: false,
        constraints: { [constraint]: path },
        config: { ...of },
        preHandler: [
          (request, reply, done) => {
            if (mayUpgrade(request, reply)) done()
          },
          (request, reply) => this.#passOn(request, reply, upgrades),
        ],
        // Never called: what comes here is an upgrade, and was passed on.
        handler: async (_request, reply) => reply.code(404).send(),
      }
      app.route(route)
    }
  }

  /** @throws SecureWsError `SWS_UNGUARDED_ROUTE`: the same upgrades cannot be ours and another server's */
  start(routes: readonly string[]): void {
    this.#started = true
    const both = routes.find((url) => isBelow(url, this.paths.all))
    if (both === undefined) return
    throw new SecureWsError(
      'SWS_UNGUARDED_ROUTE',
      `fastify-secure-ws: ${both} is a socket route, and stands below a path of \`app.secureWs.guard\`, whose upgrades go to another server. Give one of them another path.`,
    )
  }

  /** Only upgrades have this constraint, and only those of guarded paths: every other request finds its routes as before. */
  #addConstraint(): void {
    this.#options.app.addConstraintStrategy({
      name: constraint,
      mustMatchWhenDerived: true,
      storage() {
        const handlers = new Map<unknown, unknown>()
        return {
          get: (path: unknown) => handlers.get(path) ?? null,
          set: (path: unknown, handler: unknown) => void handlers.set(path, handler),
        } as never
      },
      validate() {},
      deriveConstraint: (raw: Parameters<GuardedPaths['pathOf']>[0]) => this.paths.pathOf(raw),
    })
  }

  /** Not answered: neither `done` nor a promise, so Fastify goes no further with a reply that is hijacked. */
  #passOn(request: FastifyRequest, reply: FastifyReply, upgrades: Upgrades): void {
    const { raw } = request
    const stream = reply.raw.socket
    if (upgrades.others === 0) {
      this.#options.nobody(request, reply)
      return
    }
    const head = this.paths.take(raw)
    const admitted = stream === null ? undefined : this.#options.admitted(stream)
    reply.hijack()
    if (stream === null || head === undefined || admitted === undefined || stream.destroyed) {
      stream?.destroy()
      return
    }
    withoutCredentials(raw, (offered) => this.#options.credentialsOf(request, offered), this.#options.marker)
    withoutMarks(raw, stream, head)
    // Whoever answers now makes a response of its own, and two on one stream end the process.
    reply.raw.detachSocket(stream)
    this.#options.opened(stream, admitted)
    const failed = (error: unknown) => {
      this.#options.failed(error, admitted)
      stream.destroy()
    }
    try {
      for (const said of upgrades.passOn(raw, stream, head)) if (isThenable(said)) promiseOf(said).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
