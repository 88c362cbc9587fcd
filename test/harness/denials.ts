import { createDenialLedger } from '../../src/session/denial-ledger.ts'
import type { Denial, DenialPage, DenialStore, DenialSubject } from '../../src/session/denials.ts'

/** All pages from `cursor` on, as one. */
export async function readAll(store: DenialStore, cursor?: string): Promise<DenialPage> {
  let page = await store.since(cursor)
  const { reset } = page
  const denials: Denial[] = [...page.denials]
  while (page.more) {
    page = await store.since(page.cursor)
    denials.push(...page.denials)
  }
  return { ...page, denials, reset }
}

/** What a node that has read the whole store says of a subject. */
export async function isDenied(store: DenialStore | undefined, subject: DenialSubject): Promise<boolean> {
  if (store === undefined) throw new TypeError('no store')
  const ledger = createDenialLedger()
  const now = Date.now()
  for (const denial of (await readAll(store)).denials) ledger.put(denial, now)
  return ledger.find(subject, now) !== undefined
}
