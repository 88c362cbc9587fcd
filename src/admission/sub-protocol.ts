import { type Refusal, refuse } from '../http/refusal.ts'

/**
 * What a browser must offer beside a credential (`new WebSocket(url, ['secure-ws', 'ticket...'])`) on a route that declares no
 * sub-protocols of its own: a browser fails a connection whose offer was answered with nothing.
 */
export const neutralProtocol = 'secure-ws'

/**
 * The server's choice, by its own order of preference (RFC 6455 section 4.2.2), never simply the first offer.
 *
 * @param offered without the entries that carried a credential: those are never echoed
 * @param spoken what the route declares; `undefined` when it declares nothing
 */
export function chooseProtocol(
  offered: readonly string[],
  spoken: readonly string[] | undefined,
): { readonly protocol: string | undefined; readonly refusal?: Refusal } {
  if (spoken === undefined) return { protocol: offered.includes(neutralProtocol) ? neutralProtocol : undefined }
  const protocol = spoken.find((name) => offered.includes(name))
  if (protocol !== undefined) return { protocol }
  return {
    protocol,
    refusal: refuse('SWS_BAD_HANDSHAKE', 'no sub-protocol in common', {
      advice: `Offer one of the route's \`secureWs.protocols\`: ${spoken.join(', ')}.`,
    }),
  }
}
