/**
 * Tries random templates in Chromium: no value in a hole may make an element, an attribute or a script.
 *
 *     node test/browser/template-corpus.ts 100000
 */
import { startBrowser } from '../harness/browser.ts'
import { Random } from '../harness/random.ts'
import { breakOuts, randomTemplate, renderBoth } from '../outbound/random-templates.ts'

const count = Number(process.argv[2] ?? 100_000)
const seed = Number(process.argv[3] ?? 1)
const random = new Random(seed)
const browser = await startBrowser()
try {
  const page = await browser.newPage()
  let [admitted, tried, different] = [0, 0, 0]
  while (tried < count) {
    const batch: { harmless: string; hostile: string }[] = []
    for (; batch.length < 500 && tried < count; tried++) {
      const parts = randomTemplate(random)
      const both = parts.length === 1 ? undefined : renderBoth(parts, breakOuts[tried % breakOuts.length] ?? '')
      if (both !== undefined) batch.push(both)
    }
    admitted += batch.length
    const found = await page.evaluate((pairs) => {
      const shape = (root: Document | DocumentFragment | Element): string =>
        [...root.children]
          .map((one) => {
            const content = one instanceof HTMLTemplateElement ? shape(one.content) : ''
            return `${one.localName}[${one.getAttributeNames()}](${content}${shape(one)})`
          })
          .join('')
      const ways: ((html: string) => string)[] = [
        (html) => shape(new DOMParser().parseFromString(html, 'text/html')),
        (html) => {
          const template = document.createElement('template')
          template.innerHTML = html
          return shape(template.content)
        },
        (html) => {
          const div = document.createElement('div')
          document.body.replaceChildren(div)
          div.innerHTML = html
          return shape(div)
        },
      ]
      return pairs.filter(({ harmless, hostile }) => ways.some((way) => way(harmless) !== way(hostile)))
    }, batch)
    different += found.length
    for (const one of found.slice(0, 5)) console.log('differs:', JSON.stringify(one))
  }
  const owned = await page.evaluate(() => Reflect.has(globalThis, 'owned'))
  console.log(
    `seed ${seed}: ${tried} templates, ${admitted} admitted, ${different} differ in Chromium ${browser.version()}${owned ? ', and a script ran' : ''}`,
  )
  process.exitCode = different > 0 || owned ? 1 : 0
} finally {
  await browser.close()
}
