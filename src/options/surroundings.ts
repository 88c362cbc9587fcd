import { SecureWsError } from '../errors.ts'

/** As `engines` in package.json says it: the first version of each line of Node that has what this package needs. */
export const nodeRange = '^22.22.2 || ^24.15.0 || >=26'

const leastVersions: readonly (readonly [major: number, minor: number, patch: number])[] = [
  [22, 22, 2],
  [24, 15, 0],
]
const newerThan = 26

/** @throws SecureWsError `SWS_UNSUPPORTED` with both versions: npm only warns, and what breaks later says nothing of Node. */
export function requireNode(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  const least = leastVersions.find(([of]) => of === major)
  const isNewEnough =
    least === undefined ? major >= newerThan : minor > least[1] || (minor === least[1] && patch >= least[2])
  if (isNewEnough) return
  throw new SecureWsError(
    'SWS_UNSUPPORTED',
    `fastify-secure-ws: this is Node ${version}, and ${nodeRange} is needed. Update Node: older ones lack what the checks rely on.`,
  )
}

/** The facts about a server that can be told without asking it. */
export interface ServerKind {
  /** `app.initialConfig` of Fastify. */
  readonly initialConfig: { readonly http2?: unknown; readonly https?: unknown }
  /** The class of the server: a `serverFactory` leaves no trace in the configuration. */
  readonly className: string
}

/** @throws SecureWsError `SWS_UNSUPPORTED`: a server without HTTP/1 has no `upgrade` event, so no socket would ever open. */
export function requireHttp1({ initialConfig: { http2, https }, className }: ServerKind): void {
  if (http2 !== true && className !== 'Http2Server') return
  const allowed = typeof https === 'object' && https !== null && Reflect.get(https, 'allowHTTP1') === true
  if (allowed) return
  throw new SecureWsError(
    'SWS_UNSUPPORTED',
    'fastify-secure-ws: this server speaks HTTP/2 only, and a WebSocket begins as HTTP/1.1. Write `Fastify({ http2: true, https: { allowHTTP1: true, key, cert } })`, or leave `http2` out.',
  )
}
