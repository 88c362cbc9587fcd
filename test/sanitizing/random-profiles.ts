import { type DefaultTreeAdapterMap, defaultTreeAdapter, parseFragment } from 'parse5'
import type { Random } from '../harness/random.ts'

const urls = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)//https://x/',
  'java\tscript:alert(1)//ftp:',
  '&#1;javascript:alert(1)#fine',
  'javascript&colon;alert(1)//tel:',
  'vbscript:x//ftp:',
  'data:text/html,<script>alert(1)</script>#fine',
  'data:text/html;base64,PHNjcmlwdD4=//ftp:',
  'data:application/xhtml+xml,x//ftp:',
  'data:image/svg+xml,<svg onload=alert(1)>//ftp:',
]
const attributes = [
  ...[
    'href',
    'src',
    'xlink:href',
    'action',
    'formaction',
    'poster',
    'srcset',
    'background',
    'data',
    'cite',
    'values',
    'to',
  ],
]
const wrappers = [
  (attribute: string) => `<a ${attribute}>x</a>`,
  (attribute: string) => `<img ${attribute}>`,
  (attribute: string) => `<form ${attribute}><button ${attribute}>b</button></form>`,
  (attribute: string) => `<svg><a ${attribute}><text>x</text></a><image ${attribute} /></svg>`,
  (attribute: string) =>
    `<svg><use ${attribute} /><animate attributeName=href ${attribute} /><set ${attribute} /></svg>`,
  (attribute: string) => `<math><mtext ${attribute}>x</mtext><maction ${attribute}>x</maction></math>`,
  (attribute: string) => `<video ${attribute}><source ${attribute}><track ${attribute}></video>`,
  (attribute: string) => `<x-card ${attribute}><template><a ${attribute}>x</a></template></x-card>`,
  (attribute: string) => `<table ${attribute}><tr><td ${attribute}><q ${attribute}>x</q></table>`,
]

export function documentsOf(): readonly string[] {
  return wrappers.flatMap((wrap) =>
    attributes.flatMap((attribute) => urls.map((url) => wrap(`${attribute}="${url.replaceAll('"', '&quot;')}"`))),
  )
}

/** Every option of a profile that admits more, or stops to look. */
export const widening: readonly string[] = [
  ...[
    'ALLOWED_TAGS',
    'ADD_TAGS',
    'ALLOWED_ATTR',
    'ADD_ATTR',
    'ADD_URI_SAFE_ATTR',
    'FORBID_CONTENTS',
    'ALLOWED_URI_REGEXP',
  ],
  ...[
    'ALLOW_ARIA_ATTR',
    'ALLOW_DATA_ATTR',
    'ALLOW_SELF_CLOSE_IN_ATTR',
    'KEEP_CONTENT',
    'SANITIZE_NAMED_PROPS',
    'USE_PROFILES',
  ],
]

/** Every option that a profile has, set to what widens it. Not all of these are taken. */
export function randomProfile(random: Random): Record<string, unknown> {
  const tags = [
    'a',
    'img',
    'form',
    'button',
    'svg',
    'image',
    'use',
    'animate',
    'set',
    'math',
    'maction',
    'video',
    'source',
  ]
  const more = ['track', 'x-card', 'template', 'table', 'td', 'q', 'text', 'mtext']
  const some = (list: readonly string[]) => list.filter(() => random.below(3) > 0)
  const options: Record<string, () => unknown> = {
    ALLOWED_TAGS: () => some([...tags, ...more, '#text']),
    ADD_TAGS: () => some([...tags, ...more]),
    ALLOWED_ATTR: () => some(attributes),
    ADD_ATTR: () => some([...attributes, 'attributename']),
    ADD_URI_SAFE_ATTR: () => some(attributes),
    FORBID_TAGS: () => some(['p']),
    FORBID_CONTENTS: () => [],
    ALLOW_ARIA_ATTR: () => true,
    ALLOW_DATA_ATTR: () => true,
    ALLOW_SELF_CLOSE_IN_ATTR: () => random.below(2) === 0,
    KEEP_CONTENT: () => random.below(2) === 0,
    SANITIZE_NAMED_PROPS: () => random.below(2) === 0,
    ALLOWED_URI_REGEXP: () =>
      [/ftp:/, /#fine$/, /tel:|ftp:/, /^(?!javascript:alert|vbscript|data:text)/i, /1/][random.below(5)],
    USE_PROFILES: () => ({ html: true, svg: true, svgFilters: true, mathMl: true }),
  }
  const chosen = Object.entries(options).filter(() => random.below(2) === 0)
  return Object.fromEntries(chosen.map(([key, make]) => [key, make()]))
}

/** Attributes of the finished markup that a browser may follow or load as code, read by a parser and by the letters alone. */
export function runningIn(html: string): string[] {
  const found: string[] = []
  const left: DefaultTreeAdapterMap['childNode'][] = [...parseFragment(html).childNodes]
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    if (!defaultTreeAdapter.isElementNode(node)) continue
    for (const { name, value } of node.attrs) {
      if (/^(?:javascript|vbscript|data:(?:text|application|image\/svg))/i.test(value.replace(/[^!-~]/g, '')))
        found.push(`${name}=${value}`)
    }
    left.push(...node.childNodes, ...('content' in node ? node.content.childNodes : []))
  }
  return found
}
