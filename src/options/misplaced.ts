import { SecureWsError } from '../errors.ts'
import { closest } from '../option-checks.ts'
import { routeKeys } from './options.ts'

/** The members of a route that are about this plugin, by the names that Fastify's own options leave free. */
const ours = ['secureWs', 'websocket', 'wsHandler']

/** `secureWebSocket`, `secure_ws`: further from the name than a slip of the finger. */
const alike = /^secure[-_]?(?:ws|web[-_]?sockets?)s?$/i

/**
 * Refuses what a route says in a place where nobody reads it: a misspelt `secureWs`, and members of it beside it. TypeScript
 * says so, too; JavaScript would serve the route without that defence.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function refuseMisplaced(route: object, url: string, isSocketRoute: boolean): void {
  for (const key of Object.keys(route)) {
    if (ours.includes(key)) continue
    const meant = alike.test(key) ? 'secureWs' : nearlyOurs(key)
    if (meant !== undefined)
      throw misplaced(`route ${url} has \`${key}\`, which nobody reads. Did you mean \`${meant}\`?`)
    if (isSocketRoute && (routeKeys as readonly string[]).includes(key)) {
      throw misplaced(
        `route ${url} has \`${key}\` beside \`secureWs\`, where nobody reads it. Write \`secureWs: { ${key}: ... }\`.`,
      )
    }
  }
}

/** Of these two, because `wsHandler` is as close to Fastify's `preHandler` as a slip of the finger is. */
function nearlyOurs(key: string): string | undefined {
  if (key.toLowerCase() === 'wshandler') return 'wsHandler'
  const near = closest(key, ['secureWs', 'websocket'])
  return near !== undefined && Math.abs(near.length - key.length) <= 1 ? near : undefined
}

function misplaced(problem: string): SecureWsError {
  return new SecureWsError('SWS_BAD_OPTION', `fastify-secure-ws: ${problem}`)
}
