import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core'
import { requireTool, tools } from './tools.ts'

/** A headless Chromium for one test file; close it in `after`. Profiles are fresh per context, and live in memory. */
export async function startBrowser(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0
  return chromium.launch({
    executablePath: requireTool(tools.chromium),
    args: [
      // Chromium refuses to run as root inside its sandbox; containers are usually root.
      ...(isRoot ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** One person: cookies of their own, certificates made a minute ago accepted. */
export async function newPerson(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  return browser.newContext({ ignoreHTTPSErrors: true, ...options })
}
