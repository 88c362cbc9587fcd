/**
 * Tries random templates in Chromium: no value in a hole may make an element, an attribute or a script, and each stands where the
 * planner took it to stand.
 *
 *     node test/browser/template-corpus.ts 100000
 */
import { startBrowser } from '../harness/browser.ts'
import { Random } from '../harness/random.ts'
import {
  agrees,
  breakOuts,
  type Found,
  randomTemplate,
  renderBoth,
  renderMarked,
} from '../outbound/random-templates.ts'

const count = Number(process.argv[2] ?? 100_000)
const seed = Number(process.argv[3] ?? 1)
const random = new Random(seed)
const browser = await startBrowser()
try {
  const page = await browser.newPage()
  let [admitted, tried, different, places, misplaced] = [0, 0, 0, 0, 0]
  while (tried < count) {
    const batch: { harmless: string; hostile: string }[] = []
    const marked: ReturnType<typeof renderMarked>[] = []
    for (; batch.length < 500 && tried < count; tried++) {
      const parts = randomTemplate(random)
      const both = parts.length === 1 ? undefined : renderBoth(parts, breakOuts[tried % breakOuts.length] ?? '')
      if (both === undefined) continue
      batch.push(both)
      marked.push(renderMarked(parts))
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
    const positions = await page.evaluate(
      (texts) => {
        const holesIn = (text: string) => [...text.matchAll(/hole(\d+)end/g)].map(([, index]) => Number(index))
        const foundIn = (root: Node, element: string): Found[] =>
          [...root.childNodes].flatMap((node) => {
            if (!(node instanceof Element)) {
              const kind = node instanceof Text ? element : '#comment'
              return holesIn(node.nodeValue ?? '').map((hole) => ({ hole, element: kind, attribute: undefined }))
            }
            const name = node.localName
            return [
              ...[...node.attributes].flatMap((one) =>
                holesIn(one.value).map((hole) => ({ hole, element: name, attribute: one.name })),
              ),
              ...(node instanceof HTMLTemplateElement ? foundIn(node.content, name) : []),
              ...foundIn(node, name),
            ]
          })
        return texts.map((text) => {
          const template = document.createElement('template')
          template.innerHTML = text
          const page = new DOMParser().parseFromString(text, 'text/html')
          return [...foundIn(template.content, 'body'), ...foundIn(page, 'body')]
        })
      },
      marked.map(({ text }) => text),
    )
    for (const [index, ofOne] of positions.entries()) {
      const { text = '', holes = [] } = marked[index] ?? {}
      places += ofOne.length
      const wrong = ofOne.filter((one) => one.element === '#comment' || !agrees(holes, one))
      misplaced += wrong.length
      for (const one of wrong.slice(0, 2)) console.log('misplaced:', JSON.stringify(one), text)
    }
  }
  const owned = await page.evaluate(() => Reflect.has(globalThis, 'owned'))
  console.log(
    `seed ${seed}: ${tried} templates, ${admitted} admitted, ${different} differ, ${misplaced} of ${places} places are of another kind in Chromium ${browser.version()}${owned ? ', and a script ran' : ''}`,
  )
  process.exitCode = different > 0 || misplaced > 0 || owned ? 1 : 0
} finally {
  await browser.close()
}
