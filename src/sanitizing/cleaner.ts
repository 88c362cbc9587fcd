import createDOMPurify from 'dompurify'
import { JSDOM, VirtualConsole } from 'jsdom'
import type { Profile } from './profile.ts'
import { holdsRunningUrl } from './running-url.ts'

/** One jsdom window with one DOMPurify in it, set up for one profile. Lives in a worker: loading jsdom alone takes half a second. */
export interface Cleaner {
  clean(dirty: string): string
  end(): void
}

/** A link opened from the page gets no handle on it, no address of it, and no credit in search engines. */
const rel = 'noopener noreferrer nofollow'

/** @throws Error when DOMPurify does not work here: it would return what it was given. */
export function createCleaner({ name, config }: Profile): Cleaner {
  // A console that is connected to nothing: jsdom reports bad CSS with a quote from the document.
  const { window } = new JSDOM(undefined, { virtualConsole: new VirtualConsole() })
  const purify = createDOMPurify(window)
  assertSupported(purify)
  const { getAttributeNames, getAttribute, removeAttribute } = window.Element.prototype
  purify.addHook('afterSanitizeAttributes', (element) => {
    // From the prototype: an element in a form can stand in the place of the form's own methods.
    for (const attribute of getAttributeNames.call(element)) {
      const value = getAttribute.call(element, attribute) ?? ''
      if (holdsRunningUrl(attribute, value)) removeAttribute.call(element, attribute)
    }
    if (element.hasAttribute('href') || element.hasAttribute('xlink:href')) {
      const tag = element.localName
      if (tag === 'a' || tag === 'area') element.setAttribute('rel', rel)
    }
  })
  if (name === 'rich') {
    // A relative image is a GET with the reader's cookies to any path of this site; data: and http: have no place either.
    purify.addHook('uponSanitizeAttribute', (_element, attribute) => {
      if (attribute.attrName === 'src' && !/^https:\/\//i.test(attribute.attrValue)) attribute.keepAttr = false
    })
  }
  // Once per window: options on every call cost more than the call for small texts. What a profile leaves out is at its
  // strict default, which a polluted Object.prototype cannot supply in its place.
  purify.setConfig(Object.assign(Object.create(null), config))
  return {
    clean: (dirty) => purify.sanitize(dirty),
    end: () => window.close(),
  }
}

/**
 * DOMPurify returns its input as it is where it is not supported (on linkedom, say), so support is asked for, and then
 * tried.
 * @throws Error when either says no.
 */
export function assertSupported(purify: { readonly isSupported: boolean; sanitize(dirty: string): string }): void {
  if (purify.isSupported !== true) throw new Error('DOMPurify does not support this DOM')
  const probe = purify.sanitize('<p>kept<img src=x onerror=alert(1)><script>alert(1)</script></p>')
  if (!probe.includes('kept') || /onerror|script/i.test(probe)) throw new Error('DOMPurify does not clean on this DOM')
}
