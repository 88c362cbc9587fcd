/**
 * Cleans hostile documents by random profiles, and has Chromium look for URLs that run in what is left, and follow it:
 *
 *     node test/browser/profile-corpus.ts 200
 */
import type { Browser, Page } from 'playwright-core'
import { createCleaner } from '../../src/sanitizing/cleaner.ts'
import { compileProfile, type Profile } from '../../src/sanitizing/profile.ts'
import { startBrowser } from '../harness/browser.ts'
import { Random } from '../harness/random.ts'
import { documentsOf, randomProfile, widening } from '../sanitizing/random-profiles.ts'

export interface Found {
  readonly profiles: number
  readonly documents: number
  /** Options that widen, and that were in none of the profiles. */
  readonly untried: readonly string[]
  /** What Chromium found, as attribute and value. */
  readonly running: readonly string[]
  /** Whether following it has run anything. */
  readonly ran: boolean
}

/** @param everyNth of the documents */
export async function tryProfiles(browser: Browser, count: number, everyNth = 1, seed = 1): Promise<Found> {
  const documents = documentsOf().filter((_document, index) => index % everyNth === 0)
  const page = await browser.newPage()
  const untried = new Set(widening)
  const running: string[] = []
  try {
    for (const { profile, given } of randomProfiles(count, seed)) {
      for (const key of Object.keys(given)) untried.delete(key)
      const cleaner = createCleaner(profile)
      const cleaned: string[] = []
      for (const document of documents) {
        cleaned.push(cleaner.clean(document))
        // jsdom holds the nodes of a call until the macrotask ends.
        await new Promise((resolve) => setImmediate(resolve))
      }
      cleaner.end()
      for (const one of await runningIn(page, cleaned)) running.push(`${one} by ${JSON.stringify(given)}`)
    }
    return { profiles: count, documents: documents.length, untried: [...untried], running, ran: await hasRun(page) }
  } finally {
    await page.close()
  }
}

/** Random ones that are taken; of those that are refused, nothing is to be tried. */
function* randomProfiles(count: number, seed: number): Iterable<{ profile: Profile; given: Record<string, unknown> }> {
  const random = new Random(seed)
  for (let taken = 0; taken < count; ) {
    const given = randomProfile(random)
    try {
      yield { profile: compileProfile(given, 'profile'), given }
      taken += 1
    } catch {}
  }
}

/** Puts each document into a page, reads every attribute by Chromium's own parsers, and follows every link. */
export function runningIn(page: Page, documents: readonly string[]): Promise<readonly string[]> {
  return page.evaluate(async (htmls) => {
    Object.assign(globalThis, { alert: () => Object.assign(globalThis, { ran: true }) })
    const runs = (value: string): boolean => {
      if (!URL.canParse(value, 'https://page.example/')) return false
      const url = new URL(value, 'https://page.example/')
      if (url.protocol === 'data:') return !/^(?:image\/(?!svg)|audio\/|video\/)/i.test(url.pathname)
      return url.protocol === 'javascript:' || url.protocol === 'vbscript:'
    }
    // Some attributes are lists, and Chromium takes them apart by themselves.
    const parts = (value: string): string[] => [value, ...value.split(/[,;\s]+/)]
    const inside = (root: ParentNode): Element[] =>
      [...root.querySelectorAll('*')].flatMap((one) => [
        one,
        ...(one instanceof HTMLTemplateElement ? inside(one.content) : []),
      ])
    // Other pages are not to be gone to.
    const stay = (event: Event): void => {
      const link = event.composedPath().find((one) => one instanceof Element && one.matches('a, area, form'))
      const target =
        link instanceof SVGAElement
          ? link.href.baseVal
          : link instanceof HTMLFormElement
            ? link.getAttribute('action')
            : link instanceof HTMLAnchorElement || link instanceof HTMLAreaElement
              ? link.href
              : null
      if (!runs(target ?? '')) event.preventDefault()
    }
    addEventListener('click', stay)
    addEventListener('submit', stay)
    const found: string[] = []
    for (const html of htmls) {
      const place = document.createElement('div')
      document.body.replaceChildren(place)
      place.innerHTML = html
      for (const element of inside(place)) {
        for (const { name, value } of element.attributes) {
          if (!/^(?:alt|title|class|id)$/.test(name) && parts(value).some(runs)) {
            found.push(`<${element.localName} ${name}="${value}">`)
          }
        }
        if (!element.matches('a, area, button, input')) continue
        const isFollowed = element.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))
        // In a task of its own, which the next one would take the place of.
        if (isFollowed) await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    removeEventListener('click', stay)
    removeEventListener('submit', stay)
    return found
  }, documents)
}

export function hasRun(page: Page): Promise<boolean> {
  return page.evaluate(() => Reflect.get(globalThis, 'ran') === true)
}

if (process.argv[1] === import.meta.filename) {
  const [count = 200, seed = 1] = process.argv.slice(2).map(Number)
  const browser = await startBrowser()
  try {
    const { profiles, documents, untried, running, ran } = await tryProfiles(browser, count, 1, seed)
    for (const one of running.slice(0, 10)) console.log('runs:', one)
    console.log(
      `seed ${seed}: ${profiles} profiles, ${documents} documents each, ${running.length} URLs that run in Chromium ${browser.version()}${ran ? ', and one ran' : ''}; not tried: ${untried.join(' ') || 'none'}`,
    )
    process.exitCode = running.length > 0 || ran || untried.length > 0 ? 1 : 0
  } finally {
    await browser.close()
  }
}
