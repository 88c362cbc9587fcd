// The client's side of docs/encoding.md: copy what you need.

/** Shows text of a route with `encode: 'json'`. It is never markup, whatever is in it. */
export function showText(element, text) {
  element.textContent = text
}

/**
 * A page with `require-trusted-types-for 'script'` takes markup only from a policy that its `trusted-types` names. This one
 * says: the server has encoded or sanitized it. Keep it in this module, so that nothing else on the page can say so.
 */
const policy = globalThis.trustedTypes?.createPolicy('secure-ws', { createHTML: (markup) => markup })

/** Shows a string of a route with `encode: 'html'`: text as text, and a field of HTML as the markup that was left of it. */
export function showMarkup(element, markup) {
  // Where browsers have it, a second fence: the browser's own sanitizer, which knows what the browser does.
  if (typeof element.setHTML === 'function') element.setHTML(markup)
  else element.innerHTML = policy === undefined ? markup : policy.createHTML(markup)
}
