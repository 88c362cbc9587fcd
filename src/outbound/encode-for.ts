import { encodeAttribute } from './attribute.ts'
import { encodeCss } from './css.ts'
import { type Encoded, encodedAs } from './encoded.ts'
import { encodeHtml } from './html.ts'
import { encodeJs } from './js.ts'
import { escapeJsonText, serialize } from './json.ts'
import { encodeUrlComponent, encodeWholeUrl } from './url.ts'

/**
 * Encodes one text for one context. The result is text in string concatenation, and says which context it is for:
 * `send` in `html` mode passes only `Encoded<'html'>` untouched, and encodes the others like any text.
 */
export const encodeFor = Object.freeze({
  /** Element content and quoted attribute values: `& < > " '`. See `encodeHtml` for where it is not enough. */
  html: (text: string): Encoded<'html'> => encodedAs('html', encodeHtml(checked(text))),

  /** Attribute values without quotes, too: all but ASCII letters and digits. */
  attribute: (text: string): Encoded<'attribute'> => encodedAs('attribute', encodeAttribute(checked(text))),

  /** The inside of a quoted JavaScript string. */
  js: (text: string): Encoded<'js'> => encodedAs('js', encodeJs(checked(text))),

  /** A value as JSON text that may stand in a `<script>`. @throws SecureWsError SWS_NOT_ENCODABLE */
  json: (value: unknown): Encoded<'json'> => encodedAs('json', escapeJsonText(serialize(value))),

  /**
   * A component of a URL or, with `'whole'`, a URL: refused unless http, https, mailto or relative.
   * @throws SecureWsError SWS_UNSAFE_URL
   */
  url: (text: string, part?: 'component' | 'whole'): Encoded<'url'> =>
    encodedAs('url', part === 'whole' ? encodeWholeUrl(checked(text)) : encodeUrlComponent(checked(text))),

  /** A CSS value, quoted or not. */
  css: (text: string): Encoded<'css'> => encodedAs('css', encodeCss(checked(text))),
})

// A number or an object would be turned into text by rules of its own; the caller should say which text it means.
function checked(text: unknown): string {
  if (typeof text === 'string') return text
  throw new TypeError(`encodeFor takes a string, not ${text === null ? 'null' : typeof text}`)
}
