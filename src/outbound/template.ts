import { SecureWsError } from '../errors.ts'
import { Encoded, encodedAs } from './encoded.ts'
import { encodeHtml } from './html.ts'
import { planTemplate, type TemplatePlan } from './template-plan.ts'
import { encodeUrlComponent, isSafeUrl, unsafeUrl } from './url.ts'

/** A value for a hole. An array is one after the other, in text only; null and undefined are nothing. */
export type HoleValue = string | number | bigint | boolean | null | undefined | Encoded | readonly HoleValue[]

// One plan per place in the program: the engine hands out the same frozen array every time a tagged template runs.
const plans = new WeakMap<TemplateStringsArray, TemplatePlan>()

/**
 * Markup with holes, each encoded for the position it stands in:
 * - text: `& < > " '`; an `Encoded<'html'>` stays markup; an array is joined; `false` is nothing
 * - a quoted attribute: the same, but markup is shown, not opened
 * - a quoted URL attribute (`href`, `src`, `action`, ...): a hole that starts the value may be a whole URL, later ones
 *   are components; the URL as a whole must be http, https, mailto or relative
 *
 * The template must be whole elements. Holes are refused in unquoted attributes, event handlers, `style`, `srcdoc` and
 * other attributes that are code, in `<script>` and `<style>`, tag and attribute names, and comments.
 * @throws SecureWsError SWS_UNSAFE_TEMPLATE for the template, SWS_UNSAFE_URL and SWS_NOT_ENCODABLE for a value
 */
export function html(strings: TemplateStringsArray, ...values: readonly HoleValue[]): Encoded<'html'> {
  const plan = planOf(strings)
  let text = ''
  let url = ''
  plan.texts.forEach((fixed, index) => {
    text += fixed
    const hole = plan.holes[index]
    if (hole === undefined) return
    const value = values[index]
    if (hole.kind === 'url') {
      const piece = hole.whole ? textOf(value, 'a URL attribute') : componentOf(value)
      url += hole.before + piece
      text += encodeHtml(piece.toWellFormed())
      if (hole.after === undefined) return
      // The part after the last hole can still change what the first colon means, so it is checked with it.
      if (!isSafeUrl(url + hole.after)) throw unsafeUrl(`The value of ${hole.name}`)
      url = ''
    } else {
      text += hole.kind === 'text' ? inText(value) : inAttribute(value)
    }
  })
  return encodedAs('html', text)
}

function planOf(strings: TemplateStringsArray): TemplatePlan {
  const known = plans.get(strings)
  if (known !== undefined) return known
  // Called as a function with strings put together at run time, there would be nothing that only the author wrote.
  if (!Array.isArray(strings) || !Object.isFrozen(strings) || !Object.isFrozen(strings.raw) || !strings.raw) {
    throw new SecureWsError('SWS_UNSAFE_TEMPLATE', 'html is a template tag: write html`...`, not html(...)')
  }
  const plan = planTemplate(strings)
  plans.set(strings, plan)
  return plan
}

function inText(value: HoleValue): string {
  if (Encoded.is(value, 'html')) return String(value)
  if (value === false) return ''
  if (Array.isArray(value)) return value.map(inText).join('')
  return encodeHtml(textOf(value, 'text').toWellFormed())
}

// Markup in an attribute: its tags become text, and what is encoded in it already is not encoded again.
function inAttribute(value: HoleValue): string {
  if (Encoded.is(value, 'html')) return encodeHtml(String(value)).replaceAll('&amp;', '&').toWellFormed()
  return encodeHtml(textOf(value, 'an attribute').toWellFormed())
}

function componentOf(value: HoleValue): string {
  return Encoded.is(value, 'url') ? String(value) : encodeUrlComponent(textOf(value, 'a URL attribute'))
}

function textOf(value: unknown, where: string): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (Encoded.is(value)) return String(value)
  throw new SecureWsError('SWS_NOT_ENCODABLE', `A value of type ${typeof value} cannot stand in ${where} of html\`\``)
}
