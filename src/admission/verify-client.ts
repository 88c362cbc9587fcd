import type { IncomingMessage } from 'node:http'
import type { ServerOptions } from 'ws'

/** What ws hands to a `verifyClient`, under its names. */
interface ClientInformation {
  readonly origin: string
  readonly secure: boolean
  readonly req: IncomingMessage
}

/** `true` lets the handshake pass. */
export type VerifyClient = (raw: IncomingMessage) => Promise<boolean>

/**
 * ws's own hook, `websocket.options.verifyClient`, made a check among the others. ws would ask it after the guard has
 * answered: outside the deadline, without an audit event, and a hook that throws would leave the stream open.
 *
 * @param verify as ws defines it: of one parameter it returns its answer, of two it calls the second
 */
export function compileVerifyClient(verify: ServerOptions['verifyClient']): VerifyClient | undefined {
  if (verify === undefined) return undefined
  return (raw) => {
    const client: ClientInformation = {
      origin: raw.headers.origin ?? '',
      // A request from inside the process (`injectWS`) has no connection.
      secure: Reflect.get(raw.socket ?? {}, 'encrypted') === true,
      req: raw,
    }
    return new Promise((resolve, reject) => {
      // Awaited, because a function of one parameter may be `async`, whatever ws says.
      const said: unknown = verify(client, (allowed) => resolve(allowed === true))
      const answer = Promise.resolve(said)
      if (verify.length < 2) answer.then((allowed) => resolve(allowed === true), reject)
      // An `async` function that calls back may throw instead: a rejection that nobody hears would end the process.
      else answer.catch(reject)
    })
  }
}
