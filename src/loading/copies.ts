import { SecureWsError } from '../errors.ts'
import { ownUrl } from './location.ts'

/**
 * The copies of this package in this program. A copy does not know the `Encoded` of another one, nor its errors, nor the
 * servers it guards, and nothing but this list can tell them of each other. The same file again (`jest.resetModules`) takes
 * the place of its forerunner.
 */
const registered = Symbol.for('fastify-secure-ws: copies')
const known: unknown = Reflect.get(globalThis, registered)
const copies: Set<unknown> = known instanceof Set ? known : new Set()
if (known !== copies) Object.defineProperty(globalThis, registered, { value: copies })
copies.add(ownUrl ?? 'a bundle')

/** @throws SecureWsError `SWS_LOADED_TWICE` with the files */
export function refuseSecondCopy(): void {
  if (copies.size === 1) return
  throw new SecureWsError(
    'SWS_LOADED_TWICE',
    `fastify-secure-ws: this program holds ${copies.size} copies of the package: ${[...copies].join(' and ')}. One does not know the markup and the errors of the other. Keep one: \`npm ls fastify-secure-ws\` says where they come from, \`npm dedupe\` joins them, and a bundler leaves the package outside with \`--external:fastify-secure-ws\`.`,
  )
}
