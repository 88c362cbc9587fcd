import { SecureWsError } from '../../src/errors.ts'
import { html } from '../../src/outbound/template.ts'
import { planTemplate, type TemplatePlan } from '../../src/outbound/template-plan.ts'
import { attributeKind, contentOf } from '../../src/outbound/template-position.ts'
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
  const strings = templateOf(parts)
  const render = (value: string) => String(html(strings, ...parts.slice(1).map(() => value)))
  try {
    return { harmless: render('harmless'), hostile: render(hostile) }
  } catch (error) {
    if (error instanceof SecureWsError) return undefined
    throw error
  }
}

function templateOf(parts: readonly string[]): TemplateStringsArray {
  return Object.freeze(Object.assign([...parts], { raw: Object.freeze([...parts]) })) as TemplateStringsArray
}

/** An admitted template with a value in each hole that says which one it is, and what the planner takes the holes for. */
export function renderMarked(parts: readonly string[]): { text: string; holes: TemplatePlan['holes'] } {
  const { holes } = planTemplate(parts)
  return { text: String(html(templateOf(parts), ...holes.map((_hole, index) => `hole${index}end`))), holes }
}

/** A place where a parser has found the value of a hole. */
export interface Found {
  readonly hole: number
  readonly element: string
  /** The name of the attribute, or nothing: it is text. */
  readonly attribute: string | undefined
}

/** Every value of a hole that is in a text. */
export function holesIn(text: string): number[] {
  return [...text.matchAll(/hole(\d+)end/g)].map(([, index]) => Number(index))
}

/** Whether what a parser has found is what the planner took it for. */
export function agrees(holes: TemplatePlan['holes'], { hole, element, attribute }: Found): boolean {
  const planned = holes[hole]
  if (planned === undefined) return false
  if (attribute === undefined) {
    // Text with entities and without tags is encoded like an attribute.
    return planned.kind === { markup: 'text', text: 'attribute', raw: undefined }[contentOf(element)]
  }
  return planned.kind === 'url' ? planned.name === attribute : planned.kind === attributeKind(element, attribute)
}
