/**
 * Runs DOMPurify's own published fixtures through our sanitizer, structure check, threads and all:
 *
 *     node test/contracts/dompurify-fixtures.ts <a DOMPurify checkout, or its test/fixtures folder>
 *
 * They are not in DOMPurify's npm package and are not copied into this project, so this is a program and not a test. It
 * uses DOMPurify's default configuration. What browsers do differently is listed in a fixture as alternatives; any of them
 * counts, and so does nothing at all: that is what a fixture for an older parser or an element that was withdrawn since comes
 * to. Our `rel` on links is taken off again before comparing, and URLs that run, which nothing of ours lets out, are taken
 * out of what is expected (`withoutUrls`). Exits with 1 when a document came out in no known way.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defaultTreeAdapter, parseFragment, serialize } from 'parse5'
import { SecureWsError } from '../../src/errors.ts'
import { holdsRunningUrl } from '../../src/sanitizing/running-url.ts'
import { compileSanitizing, createSanitizer } from '../../src/sanitizing/sanitizing.ts'

interface Fixture {
  readonly title?: string
  readonly payload: string
  readonly expected: string | readonly string[]
}

const given = process.argv[2]
if (given === undefined) throw new Error('Name a DOMPurify checkout, or its test/fixtures folder.')
const file = [join(given, 'test/fixtures/expect.mjs'), join(given, 'expect.mjs')].find((path) => existsSync(path))
if (file === undefined) throw new Error(`There is no expect.mjs in ${given}.`)
const { default: fixtures }: { default: readonly Fixture[] } = await import(pathToFileURL(resolve(file)).href)

const sanitizer = createSanitizer(
  compileSanitizing({ profile: {}, inputBytes: 1_048_576, timeLimit: 10_000 }),
  () => {},
)
const counts = { asExpected: 0, withoutUrls: 0, nothingLeft: 0, refused: 0, different: 0 }
for (const { title, payload, expected } of fixtures) {
  const allowed = typeof expected === 'string' ? [expected] : expected
  try {
    const clean = await sanitizer.sanitize(payload)
    const own = clean.replaceAll(' rel="noopener noreferrer nofollow"', '')
    if (allowed.includes(own) || allowed.includes(clean)) {
      counts.asExpected += 1
      continue
    }
    if (own === '') {
      counts.nothingLeft += 1
      console.log('nothing left:', title)
      continue
    }
    if (allowed.some((one) => withoutUrls(one) === withoutUrls(own))) {
      counts.withoutUrls += 1
      continue
    }
    counts.different += 1
    console.log('different:', JSON.stringify({ title, payload, clean: own, allowed }, null, 2))
  } catch (error) {
    if (!(error instanceof SecureWsError)) throw error
    counts.refused += 1
    console.log('refused:', title, error.message)
  }
}
await sanitizer.close()

/** The same markup without URLs that run. */
function withoutUrls(html: string): string {
  const fragment = parseFragment(html)
  const left = [...fragment.childNodes]
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    if (!defaultTreeAdapter.isElementNode(node)) continue
    node.attrs = node.attrs.filter(
      ({ prefix, name, value }) => !holdsRunningUrl(prefix ? `${prefix}:${name}` : name, value),
    )
    left.push(...node.childNodes)
  }
  return serialize(fragment)
}
console.log(`${fixtures.length} fixtures`, counts)
process.exitCode = counts.different === 0 ? 0 : 1
