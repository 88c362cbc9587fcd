import { type Refusal, refuse } from '../http/refusal.ts'
import type { HandshakeFacts } from './handshake-request.ts'
import { ownOrigin } from './reached.ts'
import { isFileOrigin } from './web-origin.ts'

const sites = new Set(['same-origin', 'same-site', 'cross-site', 'none'])

/**
 * Only ever one more reason to refuse: Chromium sends no Sec-Fetch-* with a WebSocket handshake, Firefox and Safari do.
 * A browser's words about the request must fit those of Origin about the page.
 */
export function checkFetchMetadata(facts: HandshakeFacts, sameOriginOnly: boolean): Refusal | undefined {
  const { fetchMode, fetchSite } = facts
  if (fetchMode !== undefined && fetchMode !== 'websocket') return refused(`Sec-Fetch-Mode ${fetchMode}`)
  if (fetchSite === undefined) return undefined
  if (!sites.has(fetchSite)) return refused(`Sec-Fetch-Site ${fetchSite}`)
  // An opaque origin that was admitted by name is cross-site to everything.
  const opaque = facts.origin === 'null' || (facts.origin !== undefined && isFileOrigin(facts.origin))
  if (sameOriginOnly && fetchSite !== 'same-origin' && !opaque) {
    return refused(`Sec-Fetch-Site ${fetchSite} where only the same origin may connect`)
  }
  if (fetchSite === 'cross-site' && facts.origin === ownOrigin(facts)) {
    return refused('Origin says same origin, Sec-Fetch-Site says cross-site')
  }
  return undefined
}

function refused(reason: string): Refusal {
  return refuse('SWS_FETCH_METADATA_REFUSED', reason)
}
