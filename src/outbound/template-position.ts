import { SecureWsError } from '../errors.ts'

/** Elements whose content is not markup: a hole in them would be code, or text that no entity is decoded in. */
const rawElements = new Set(['script', 'style', 'xmp', 'iframe', 'noembed', 'noframes', 'noscript', 'plaintext'])

/** Elements whose content is text with entities, and no tags. */
const textOnlyElements = new Set(['textarea', 'title'])

// What these load, name or animate is code or can become it, so the scheme of a URL says nothing about its safety.
const elementsWithoutHoles = new Set([
  ...['script', 'style', 'base', 'meta', 'link', 'object', 'embed', 'applet', 'param', 'frame', 'portal'],
  ...['animate', 'animatemotion', 'animatetransform', 'set'],
])

const urlAttributes = new Set([
  ...['href', 'src', 'action', 'formaction', 'cite', 'poster', 'background', 'longdesc', 'usemap', 'data', 'manifest'],
  ...['xlink:href', 'icon', 'codebase', 'classid', 'archive', 'profile', 'dynsrc', 'lowsrc'],
])

// Code, policy, or a list of URLs that no single check covers.
const attributesWithoutHoles = new Set([
  ...['style', 'srcdoc', 'srcset', 'imagesrcset', 'ping', 'sandbox', 'allow', 'csp', 'is', 'http-equiv'],
  ...['attributename', 'xmlns', 'xml:base'],
])

// With a colon, frameworks call: `wire:click`, `on:click`, `bind:value`. What HTML itself knows is named.
const ordinaryName = /^(?:[a-z][a-z0-9-]*|xlink:(?:href|title)|xml:lang)$/
// Attributes that Alpine, Vue, htmx, AngularJS, Livewire and Unpoly evaluate.
const evaluated = /^(?:data-)?(?:(?:x|v|hx|ng|wire|up-on)-|(?:script|jsaction)$)/
// The same of Knockout and Datastar, and whom Stimulus and Bootstrap call or make markup of.
const evaluatedData =
  /^data-(?:on|bind|signals|computed|effect|text|class|attr|show|style|init|ref|indicator|persist|json-signals|action|controller|bs-(?:html|content|template|title))(?:-|$)/

export type ContentKind = 'markup' | 'text' | 'raw'

// In a select, older parsers drop the tags of whatever else stands there, and read on where newer ones do not.
const selectElements = new Set(['option', 'optgroup', 'hr', 'select'])

/**
 * What may stand in an svg: what only draws. Elsewhere in there a name means something else than in HTML (`style` and `title`
 * hold markup), or leads out of it again, and MathML has still other rules.
 */
const svgElements = new Set([
  ...['svg', 'g', 'defs', 'symbol', 'use', 'a', 'text', 'tspan', 'marker', 'pattern', 'mask', 'clippath', 'stop'],
  ...['path', 'rect', 'circle', 'ellipse', 'line', 'polyline', 'polygon', 'lineargradient', 'radialgradient'],
])

/** Parsers disagree about what is inside these, or about whether they exist. */
const disputedElements = new Set(['math', 'frameset', 'plaintext', 'listing', 'selectedcontent'])

const ordinaryElement = /^[a-z][a-z0-9-]*$/

/**
 * Follows what an element opens, as far as that changes how the rest is read: from an svg, and from a select, to its end.
 * @throws SecureWsError SWS_UNSAFE_TEMPLATE for an element that is not known to mean the same to every parser there
 */
export class OpenElements {
  readonly #inside: string[] = []

  enter(element: string, closing: boolean, selfClosing: boolean): void {
    if (!ordinaryElement.test(element)) {
      throw unsafeTemplate(`an element named ${JSON.stringify(element)}`, 'write a name of a-z, 0-9 and -')
    }
    if (disputedElements.has(element)) throw unsafeTemplate(`<${element}>`, 'browsers do not agree on what is in it')
    const [root] = this.#inside
    const allowed = root === 'svg' ? svgElements : root === 'select' ? selectElements : undefined
    if (allowed !== undefined && !allowed.has(element)) throw unsafeTemplate(`<${element}> in <${root}>`, 'move it out')
    if (root === undefined ? element !== 'svg' && element !== 'select' : root === 'select' && element !== 'select')
      return
    if (closing) {
      if (this.#inside.pop() !== element) throw unsafeTemplate(`</${element}> there`, 'close what was opened last')
    } else if (root === 'select') throw unsafeTemplate('<select> in <select>', 'close the first one')
    else if (!selfClosing || element === 'select') this.#inside.push(element)
  }

  get isInside(): boolean {
    return this.#inside.length > 0
  }
}

/** How the content of an element is read. */
export function contentOf(element: string): ContentKind {
  if (rawElements.has(element)) return 'raw'
  return textOnlyElements.has(element) ? 'text' : 'markup'
}

/** How a hole in this quoted attribute is encoded. @throws SecureWsError SWS_UNSAFE_TEMPLATE if it cannot be. */
export function attributeKind(element: string, name: string): 'attribute' | 'url' {
  const nowhere =
    elementsWithoutHoles.has(element) ||
    attributesWithoutHoles.has(name) ||
    name.startsWith('on') ||
    !ordinaryName.test(name) ||
    evaluated.test(name) ||
    evaluatedData.test(name)
  if (nowhere) throw unsafeTemplate(`a hole in the attribute ${name} of <${element}>`, 'set it in a script instead')
  return urlAttributes.has(name) ? 'url' : 'attribute'
}

export function unsafeTemplate(what: string, advice: string): SecureWsError {
  return new SecureWsError('SWS_UNSAFE_TEMPLATE', `html\`\` cannot take ${what}: ${advice}`)
}
