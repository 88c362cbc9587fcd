import { attributeKind, type ContentKind, contentOf, OpenElements, unsafeTemplate } from './template-position.ts'
import { isSafeUrl } from './url.ts'

/** Where a hole stands. In a URL attribute: the text before it, since the value began or the last hole ended. */
type Hole =
  | { readonly kind: 'text' | 'attribute' }
  | {
      readonly kind: 'url'
      readonly name: string
      readonly before: string
      /** May be a whole URL, because nothing stands in front of it; otherwise it is a component. */
      readonly whole: boolean
      /** The rest of the value, at its last hole. */
      after: string | undefined
    }

export type TemplatePlan = { readonly texts: readonly string[]; readonly holes: readonly Hole[] }

type State = 'content' | 'tag' | 'name' | 'before value' | 'unquoted' | 'quoted' | 'after value' | 'comment' | 'doctype'

const tagStart = /<(\/?)([A-Za-z][^\t\n\f\r />"'=<]*)/y
const attributeName = /[^\t\n\f\r />"'=<]+/y
// All that separates anything inside a tag. To a browser, any other space is a letter of a name.
const space = /[\t\n\f\r ]/
const strange = /[^!-~]/
const openReference = /&#?[A-Za-z0-9]*$/

/**
 * Reads the fixed parts of a template once and finds where each hole stands. A small part of the HTML tokenizer
 * (WHATWG HTML section 13.2.5): wherever browsers would repair or be lenient, it refuses, so that it never reads a
 * position differently from them.
 * @throws SecureWsError SWS_UNSAFE_TEMPLATE
 */
export function planTemplate(strings: readonly (string | undefined)[]): TemplatePlan {
  const texts: string[] = []
  const holes: Hole[] = []
  let state: State = 'content'
  const open = new OpenElements()
  let selfClosing = false
  let content: ContentKind = 'markup'
  let element = ''
  let closing = false
  let name = ''
  let quote = ''
  let valueStart = 0
  let urlHole: Extract<Hole, { kind: 'url' }> | undefined

  strings.forEach((part, index) => {
    if (part === undefined) throw unsafeTemplate('an invalid escape sequence', 'write the character itself')
    if (part.includes('\0')) throw unsafeTemplate('NUL', 'leave it out')
    texts.push(part)
    valueStart = 0
    for (let at = 0; at < part.length; ) at = step(part, at)
    if (index < strings.length - 1) holes.push(holeAfter(part))
  })
  if (state !== 'content' || content !== 'markup' || open.isInside) {
    throw unsafeTemplate('an element, attribute or comment that is left open', 'close it in the same template')
  }
  return { texts, holes }

  /** Reads on from `at`, and returns where to go on. */
  function step(part: string, at: number): number {
    const char = part.charAt(at)
    switch (state) {
      case 'content':
        return char === '<' ? openAngle(part, at) : at + 1
      case 'comment':
      case 'doctype': {
        const end = state === 'comment' ? '-->' : '>'
        const found = part.indexOf(end, at)
        if (part.slice(at, found === -1 ? part.length : found).includes('--!>')) {
          throw unsafeTemplate('--!>, which ends a comment in browsers', 'leave it out')
        }
        if (found === -1) return part.length
        state = 'content'
        return found + end.length
      }
      case 'quoted':
        if (char !== quote) return at + 1
        if (urlHole !== undefined) urlHole.after = plainUrlText(part.slice(valueStart, at))
        urlHole = undefined
        state = 'after value'
        return at + 1
      case 'before value':
        if (space.test(char)) return at + 1
        if (char === '>') throw unsafeTemplate(`the attribute ${name} without a value`, 'write it without =')
        quote = char
        valueStart = at + 1
        state = char === '"' || char === "'" ? 'quoted' : 'unquoted'
        return at + 1
      case 'unquoted':
        if (char !== '>' && !space.test(char)) {
          if (/["'<=`]/.test(char)) throw unsafeTemplate(`${char} in an unquoted attribute`, 'quote the value')
          return at + 1
        }
        state = 'tag'
        return at
      default:
        return inTag(part, at, char)
    }
  }

  function openAngle(part: string, at: number): number {
    tagStart.lastIndex = at
    const tag = tagStart.exec(part)
    const found = tag?.[2]?.toLowerCase() ?? ''
    const end = at + (tag?.[0].length ?? 1)
    if (content !== 'markup') {
      // `<!--` in a script may hide its end tag from the browser.
      if (part.startsWith('<!--', at)) throw unsafeTemplate(`<!-- in <${element}>`, 'leave it out')
      if (tag?.[1] !== '/' || found !== element || !/[\t\n\f\r />]/.test(part.charAt(end))) {
        // Without scripts a browser reads markup there, and some of these are dropped in some places.
        if (content === 'raw' && element !== 'script' && element !== 'style') {
          throw unsafeTemplate(`< in <${element}>`, 'leave the markup in it out')
        }
        return at + 1
      }
    } else if (part.startsWith('<!--', at)) {
      if (/^-?>/.test(part.slice(at + 4, at + 6))) throw unsafeTemplate('an empty comment', 'leave it out')
      state = 'comment'
      return at + 4
    } else if (/^<!doctype[\t\n\f\r ]/i.test(part.slice(at, at + 10))) {
      state = 'doctype'
      return at + 10
    } else if (tag === null) {
      throw unsafeTemplate('a < that opens no element', 'write &lt;, or the name of the element')
    }
    element = found
    closing = tag[1] === '/'
    state = 'tag'
    if (end === part.length) state = 'name'
    return end
  }

  function inTag(part: string, at: number, char: string): number {
    if (char === '>') {
      open.enter(element, closing, selfClosing)
      selfClosing = false
      content = closing ? 'markup' : contentOf(element)
      state = 'content'
      return at + 1
    }
    selfClosing = char === '/'
    if (space.test(char) || char === '/') {
      // A space may stand between a name and its =. After a /, a browser takes the = for the start of another name.
      if (char === '/' || state !== 'name') state = 'tag'
      return at + 1
    }
    if (char === '=' && state === 'name') {
      state = 'before value'
      return at + 1
    }
    attributeName.lastIndex = at
    const found = attributeName.exec(part)?.[0]
    if (found === undefined || state === 'after value') throw unsafeTemplate(`${char} there`, 'separate the attributes')
    if (strange.test(found)) {
      throw unsafeTemplate(`an attribute named ${JSON.stringify(found)}`, 'separate attributes with an ordinary space')
    }
    name = found.toLowerCase()
    state = 'name'
    return at + found.length
  }

  function holeAfter(part: string): Hole {
    if (state === 'content' && content === 'raw') throw unsafeTemplate(`a hole in <${element}>`, 'send it as a message')
    if (state !== 'content' && state !== 'quoted') {
      throw unsafeTemplate(`a hole in ${positions[state]}`, 'holes stand in text and in quoted attribute values')
    }
    if (openReference.test(part)) throw unsafeTemplate('a hole after &', 'write &amp;')
    if (state === 'content') return { kind: content === 'markup' ? 'text' : 'attribute' }
    if (attributeKind(element, name) === 'attribute') return { kind: 'attribute' }
    const first = urlHole === undefined
    const before = plainUrlText(part.slice(valueStart))
    if (first && !isSafeUrl(`${before}x`)) {
      throw unsafeTemplate(`this beginning of ${name}`, 'URLs are http:, https:, mailto: or relative')
    }
    urlHole = { kind: 'url', name, before, whole: first && before === '', after: undefined }
    return urlHole
  }
}

const positions: Readonly<Record<Exclude<State, 'content' | 'quoted'>, string>> = {
  tag: 'a tag',
  name: 'the name of an element or attribute',
  'before value': 'an unquoted attribute',
  unquoted: 'an unquoted attribute',
  'after value': 'a tag',
  comment: 'a comment',
  doctype: 'a doctype',
}

// `&colon;` would reach the browser as a colon after the scheme was checked, so only &amp; may stand next to a hole.
function plainUrlText(text: string): string {
  if (/&(?!amp;)/.test(text)) throw unsafeTemplate('& in a URL with a hole', 'write &amp;')
  return text.replaceAll('&amp;', '&')
}
