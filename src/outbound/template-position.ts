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

const ordinaryName = /^[a-z][a-z0-9-]*(?::[a-z]+)?$/
// Attributes that Alpine, Vue, htmx and AngularJS evaluate.
const evaluated = /^(?:data-)?(?:x|v|hx|ng)-/

export type ContentKind = 'markup' | 'text' | 'raw'

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
    evaluated.test(name)
  if (nowhere) throw unsafeTemplate(`a hole in the attribute ${name} of <${element}>`, 'set it in a script instead')
  return urlAttributes.has(name) ? 'url' : 'attribute'
}

export function unsafeTemplate(what: string, advice: string): SecureWsError {
  return new SecureWsError('SWS_UNSAFE_TEMPLATE', `html\`\` cannot take ${what}: ${advice}`)
}
