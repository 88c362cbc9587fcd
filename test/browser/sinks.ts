import { encodeFor, SecureWsError } from '../../src/index.ts'

/**
 * A place in a page where text from a socket ends up: the client writes `before`, the frame, `after`. For `innerHTML`
 * it makes an element of class `t` and assigns.
 */
export interface Sink {
  readonly name: string
  readonly before: string
  readonly after: string
  /** Around all of them, where many are on one page. */
  readonly around?: readonly [string, string]
  /** The route whose encoding is documented for this sink. */
  readonly route: 'html' | 'json'
  /** What the server sends, as the documentation has it; `undefined` when the encoder refuses the text. */
  readonly encode: (text: string) => unknown
  /** What a server writes that knows of no encoding. */
  readonly careless: (text: string) => string
  /** The text again, as an expression about `t`, the element of class `t` that the text is in or on. */
  readonly read: string
  /** What the way through an HTML parser, or a refusal, leaves of a text. */
  readonly expected: (text: string) => string
}

const asIs = (text: string) => text
/** An HTML parser reads every line end as a line feed (HTML Standard, section 13.2.3.5). */
const parsed = (text: string) => text.replace(/\r\n?/g, '\n')

const inHtml = { route: 'html', encode: asIs, careless: asIs, expected: parsed } as const
const inScript = { route: 'html', encode: encodeFor.js, careless: asIs, read: 't.island', expected: asIs } as const
const island = {
  route: 'json',
  encode: (text: string) => ({ text }),
  careless: (text: string) => JSON.stringify({ text }),
  expected: asIs,
} as const
const inStyle = { route: 'html', encode: encodeFor.css, careless: asIs, expected: asIs } as const

export const sinks: readonly Sink[] = [
  { ...inHtml, name: 'innerHTML', before: '', after: '', read: 't.textContent' },
  { ...inHtml, name: 'element content', before: '<p class=t>', after: '</p>', read: 't.textContent' },
  { ...inHtml, name: 'double-quoted attribute', before: '<p class=t title="', after: '">x</p>', read: 't.title' },
  { ...inHtml, name: 'single-quoted attribute', before: "<p class=t title='", after: "'>x</p>", read: 't.title' },
  {
    ...inHtml,
    name: 'href, whole',
    before: '<a class=t href="',
    after: '">x</a>',
    encode: (text) => urlOr(undefined, text),
    // Whatever else it is, it is no code: the scheme is one of these.
    read: "/^(?:https?|mailto):$/.test(t.protocol) ? t.getAttribute('href') : t.href",
    expected: (text) => String(urlOr('refused', text)),
  },
  {
    ...inHtml,
    name: 'href, one component',
    before: '<a class=t href="/find?q=',
    after: '">x</a>',
    encode: encodeFor.url,
    read: "decodeURIComponent(t.search.replace('?q=', '') + t.hash)",
    expected: asIs,
  },
  {
    ...island,
    name: 'JSON island',
    before: '<script class=t>document.currentScript.island = ',
    after: '</script>',
    read: 't.island.text',
  },
  {
    ...island,
    name: 'JSON island that is no script',
    before: '<script class=t type="application/json">',
    after: '</script>',
    read: 'JSON.parse(t.textContent).text',
  },
  {
    ...inScript,
    name: 'string in "',
    before: '<script class=t>document.currentScript.island = "',
    after: '"</script>',
  },
  {
    ...inScript,
    name: "string in '",
    before: "<script class=t>document.currentScript.island = '",
    after: "'</script>",
  },
  {
    ...inScript,
    name: 'template literal',
    before: '<script class=t>document.currentScript.island = `',
    after: '`</script>',
  },
  {
    ...inStyle,
    name: 'inline style, in quotes',
    before: '<p class=t style="font-family: \'',
    after: '\'">x</p>',
    read: 'unescaped(t.style.fontFamily)',
  },
  {
    ...inStyle,
    name: 'inline style, bare',
    before: '<p class=t style="font-family: ',
    after: '">x</p>',
    read: 'unescaped(t.style.fontFamily)',
  },
  {
    ...inStyle,
    name: 'style sheet',
    before: '<style class=t>p { font-family: "',
    after: '" }</style><p>x</p>',
    read: 'unescaped(t.sheet.cssRules[0].style.fontFamily)',
  },
  {
    ...inHtml,
    name: 'srcdoc',
    around: ['<iframe srcdoc="', '"></iframe>'],
    before: '<p class=t>',
    after: '</p>',
    // A page in an attribute of a page: `send` encodes once more.
    encode: (text) => String(encodeFor.html(text)),
    read: 't.textContent',
  },
]

function urlOr(otherwise: string | undefined, text: string): unknown {
  try {
    return String(encodeFor.url(text, 'whole'))
  } catch (error) {
    if (error instanceof SecureWsError && error.code === 'SWS_UNSAFE_URL') return otherwise
    throw error
  }
}
