import { SecureWsError } from '../../src/errors.ts'
import { html } from '../../src/outbound/template.ts'
import type { Random } from '../harness/random.ts'

/** Whatever somebody might take for a space, and what browsers do. */
export const separators = [
  ...[
    ' ',
    '\t',
    '\n',
    '\f',
    '\r',
    '\r\n',
    '/',
    ' / ',
    '',
    '\v',
    '\b',
    '\u001c',
    '\u001f',
    '\u0085',
    '\u00a0',
    '\u1680',
  ],
  ...['\u180e', '\u2000', '\u2003', '\u200b', '\u2028', '\u2029', '\u202f', '\u205f', '\u2060', '\u3000', '\ufeff'],
]

const names = [
  ...['b', 'p', 'div', 'a', 'table', 'tr', 'td', 'select', 'option', 'optgroup', 'hr', 'button', 'textarea', 'title'],
  ...[
    'svg',
    'g',
    'path',
    'foreignObject',
    'desc',
    'style',
    'script',
    'math',
    'mi',
    'mtext',
    'annotation-xml',
    'mglyph',
  ],
  ...[
    'xmp',
    'noscript',
    'noembed',
    'noframes',
    'iframe',
    'template',
    'form',
    'image',
    'br',
    'li',
    'plaintext',
    'frameset',
  ],
  ...['selectedcontent', 'caption', 'colgroup', 'col', 'body', 'html', 'head', 'object', 'input', 'isindex'],
]
const attributes = [
  'title',
  'lang',
  'href',
  'src',
  'onclick',
  'style',
  'data-x',
  'class',
  'x',
  'is',
  'xlink:href',
  '@x',
]
const texts = [
  '',
  'a',
  '<!--',
  '-->',
  '<!-- x -->',
  '<![CDATA[',
  ']]>',
  '&',
  '&amp;',
  '"',
  "'",
  '<',
  '>',
  '</',
  '=',
  '<?x?>',
]
const hole = '\0'

/** What would break out of each kind of place. */
export const breakOuts = [
  '"><img src=x onerror=owned()>',
  "'><script>owned()</script>",
  '</title></style></script></textarea></xmp></svg><img src=x onerror=owned()>',
  'x onclick=owned() y',
  '--><img src=x onerror=owned()>]]>',
  '` onmouseover=owned() `',
  '&quot;><svg onload=owned()>',
]

export function randomTemplate(random: Random): readonly string[] {
  const one = (list: readonly string[]) => random.pick(list)
  const space = () => (random.below(3) === 0 ? one(separators) : ' ')
  const value = () => (random.below(2) === 0 ? hole : one(texts))
  const attribute = () => {
    const quote = one(['"', '"', '"', "'", ''])
    return `${space()}${one(attributes)}${random.below(4) === 0 ? space() : ''}=${random.below(6) === 0 ? space() : ''}${quote}${value()}${quote}`
  }
  let text = ''
  const open: string[] = []
  for (let n = 1 + random.below(5); n > 0; n--) {
    const what = random.below(8)
    if (what < 4) {
      const name = one(names)
      text += `<${name}${Array.from({ length: random.below(3) }, attribute).join('')}${random.below(8) === 0 ? space() : ''}>`
      open.push(name)
    } else if (what === 4) text += `</${open.pop() ?? one(names)}${random.below(6) === 0 ? space() : ''}>`
    else text += random.below(2) === 0 ? hole : one(texts)
  }
  while (open.length > 0 && random.below(8) !== 0) text += `</${open.pop()}>`
  return text.split(hole)
}

/** The template with a harmless and with a hostile value in each hole, or nothing: it was refused. */
export function renderBoth(
  parts: readonly string[],
  hostile: string,
): { harmless: string; hostile: string } | undefined {
  const strings = Object.freeze(Object.assign([...parts], { raw: Object.freeze([...parts]) })) as TemplateStringsArray
  const render = (value: string) => String(html(strings, ...parts.slice(1).map(() => value)))
  try {
    return { harmless: render('harmless'), hostile: render(hostile) }
  } catch (error) {
    if (error instanceof SecureWsError) return undefined
    throw error
  }
}
