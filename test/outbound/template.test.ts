import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JSDOM } from 'jsdom'
import { encodeFor } from '../../src/outbound/encode-for.ts'
import { dangerouslyTrustHtml, Encoded } from '../../src/outbound/encoded.ts'
import { type HoleValue, html } from '../../src/outbound/template.ts'
import { planTemplate } from '../../src/outbound/template-plan.ts'
import fc from '../harness/fast-check.ts'

const { document } = new JSDOM('').window
const x: HoleValue = '"><script>\'&'
const xEncoded = '&quot;&gt;&lt;script&gt;&#39;&amp;'
const shown = (encoded: Encoded) => String(encoded)

test('text and quoted attributes: encoded for either, markup stays markup in text only', () => {
  const made = html`<p class="a ${x}" title='${x}' hidden>${x}<b>${html`<i>${x}</i>`}</b></p>`
  assert.equal(Encoded.is(made, 'html'), true)
  assert.equal(
    shown(made),
    `<p class="a ${xEncoded}" title='${xEncoded}' hidden>${xEncoded}<b><i>${xEncoded}</i></b></p>`,
  )
  assert.equal(shown(html`<p title="${html`<b>${'"&'}</b>`}">`), '<p title="&lt;b&gt;&quot;&amp;&lt;/b&gt;">')
  assert.equal(shown(html`<p title="${dangerouslyTrustHtml('"x\'&lt;')}">`), '<p title="&quot;x&#39;&lt;">')
  assert.equal(shown(html`<P Title = "${x}"  lang = x/>`), `<P Title = "${xEncoded}"  lang = x/>`)
})

test('what may stand in a hole, and what it becomes', () => {
  const items = ['<', html`<li>`, [1]]
  assert.equal(shown(html`<ul>${items}</ul>${null}${undefined}${false}${true}${0}${2n}`), '<ul>&lt;<li>1</ul>true02')
  assert.equal(shown(html`<p title="${null}${false}${1}">`), '<p title="false1">')
  assert.equal(shown(html`${'\ud800'}`), '\ufffd')
  assert.equal(shown(html`${encodeFor.js('<')}`), '\\x3C')
  for (const value of [{ toString: () => '<b>' }, () => '<b>', Symbol('b'), new Date(0), new String('<b>')]) {
    assert.throws(() => Reflect.apply(html, undefined, [template`<p>${0}</p>`, value]), { code: 'SWS_NOT_ENCODABLE' })
  }
  assert.throws(() => html`<p title="${['a']}">`, { code: 'SWS_NOT_ENCODABLE' })
})

function template(strings: TemplateStringsArray, ..._: unknown[]): TemplateStringsArray {
  return strings
}

// Every place where encoding & < > " ' is not enough. The value is harmless: the place is what is refused.
const refused: Record<string, TemplateStringsArray> = {
  'unquoted attribute': template`<a title=${x}>`,
  'unquoted attribute, later': template`<a title=b${x}>`,
  'event handler': template`<a onclick="${x}">`,
  'event handler in capitals': template`<a ONCLICK="${x}">`,
  'event handler of tomorrow': template`<a onnew="${x}">`,
  'style attribute': template`<a style="${x}">`,
  srcdoc: template`<iframe srcdoc="${x}"></iframe>`,
  srcset: template`<img srcset="${x}">`,
  sandbox: template`<iframe sandbox="${x}"></iframe>`,
  'attribute name': template`<a ${x}="b">`,
  'attribute name, later': template`<a b${x}="b">`,
  'after an attribute': template`<a b="c"${x}>`,
  'after =': template`<a b= ${x}>`,
  'tag name': template`<${x}>`,
  'tag name, later': template`<a${x}>`,
  'end tag name': template`</${x}>`,
  comment: template`<!-- ${x} -->`,
  doctype: template`<!doctype ${x}>`,
  script: template`<script>${x}</script>`,
  'script, in capitals': template`<SCRIPT>"${x}"</SCRIPT>`,
  'script src': template`<script src="${x}"></script>`,
  'script after what only looks like its end': template`<script></scripty>${x}</script>`,
  style: template`<style>${x}</style>`,
  iframe: template`<iframe>${x}</iframe>`,
  noscript: template`<noscript>${x}</noscript>`,
  xmp: template`<xmp>${x}</xmp>`,
  plaintext: template`<plaintext>${x}`,
  'base href': template`<base href="${x}">`,
  'link href': template`<link href="${x}">`,
  'meta content': template`<meta http-equiv="refresh" content="${x}">`,
  'object data': template`<object data="${x}">`,
  'embed src': template`<embed src="${x}">`,
  'animate values': template`<animate attributeName="href" values="${x}">`,
  'set to': template`<set to="${x}">`,
  'Vue directive': template`<a v-html="${x}">`,
  'Alpine directive': template`<a x-data="${x}">`,
  'htmx directive': template`<a data-hx-get="${x}">`,
  'shorthand directive': template`<a @click="${x}">`,
  'bound attribute': template`<a :href="${x}">`,
  'javascript: URL': template`<a href="javascript:${x}">`,
  'a scheme put together': template`<a href="javascript&colon;${x}">`,
  'a scheme put together after the hole': template`<a href="${x}&colon;alert(1)">`,
  'an open reference': template`<p>&${x}`,
  'an open numeric reference': template`<p title="&#3${x}">`,
  'left open: tag': template`<p>${x}<p`,
  'left open: attribute': template`<p title="${x}`,
  'left open: comment': template`${x}<!-- `,
  'left open: script': template`${x}<script>`,
  'left open: textarea': template`<textarea>${x}`,
  'a comment that browsers end early': template`<!-- --!> ${x} -->`,
  'a comment that is empty for browsers': template`<!--> ${x} -->`,
  'script hidden in a script': template`<script><!-- </script>${x}`,
  'a bogus comment': template`<?xml ${x}?>`,
  CDATA: template`<![CDATA[${x}]]>`,
  '< in text': template`a < b ${x}`,
  'a quote in an unquoted value': template`<a b=c"d>${x}`,
  'attributes without a space': template`<a b="c"d="e">${x}`,
  '= without a value': template`<a b=>${x}`,
  'a quote in a tag': template`<a "b">${x}`,
  'a / before the =': template`<b title/="${x}">`,
  'a / and a space before the =': template`<b title / = "${x}">`,
  'a space that is a letter to browsers': template`<b\u00a0title="${x}">`,
  'another one, between attributes': template`<b a="b"\u2028title="${x}">`,
  'another one, before =': template`<b title\u3000="${x}">`,
  'a vertical tab': template`<b\vtitle="${x}">`,
  'a foreign style, which holds markup': template`<svg><style><b title="</style><i title="${x}"></style></svg>`,
  'a foreign title, which holds markup': template`<svg><title>${x}</title></svg>`,
  'a foreign CDATA section': template`<svg><![CDATA[<b title="]]>${x}</svg>`,
  'a way out of the svg': template`<svg><p>${x}</p></svg>`,
  foreignObject: template`<svg><foreignObject>${x}</foreignObject></svg>`,
  'an svg left open': template`<svg><g>${x}</g>`,
  math: template`<math><mi>${x}</mi></math>`,
  'a raw element in a select': template`<select><xmp><p title="</xmp><b title="${x}"></select>`,
  'a title in a select': template`<select><title>${x}</title></select>`,
  'a select in a select': template`<select><select><option>${x}</option></select></select>`,
  frameset: template`<frameset title="${x}"></frameset>`,
  'plaintext with an attribute': template`<plaintext title="${x}">`,
  'Knockout binding': template`<a data-bind="${x}">`,
  'Datastar directive': template`<a data-on-click="${x}">`,
  'Datastar signals': template`<a data-signals="${x}">`,
  'Livewire directive': template`<a wire:click="${x}">`,
  'Svelte directive': template`<a bind:value="${x}">`,
  'htmx event': template`<a hx-on:click="${x}">`,
  'Stimulus action': template`<a data-action="${x}">`,
  NUL: template`<p>\0${x}`,
  'an invalid escape': template`<p>\u${x}`,
}
for (const [name, strings] of Object.entries(refused)) {
  test(`1.2.1 no hole: ${name}`, () => {
    assert.throws(() => html(strings, 'x'), { code: 'SWS_UNSAFE_TEMPLATE' })
    assert.throws(() => html(strings, 'x'), { code: 'SWS_UNSAFE_TEMPLATE' })
  })
}

test('near misses: all of it is fine where there is no hole, and around holes that are in text', () => {
  const made = html`<!doctype html><!-- a > b --><style>a{}</style><script src=a.js async>if ("</b>") x()</script><a onclick="x()" href=/a style='b'>${x}</a ><br/><title>${x}</title>`
  assert.ok(shown(made).includes(`>${xEncoded}</a ><br/><title>${xEncoded}</title>`))
  assert.equal(
    shown(html`<a data-one="${x}" data-value="${x}" aria-label="${x}" on="">&amp;${x}`).split(xEncoded).length,
    5,
  )
  assert.equal(shown(html`<script></SCRIPT >${x}`), `<script></SCRIPT >${xEncoded}`)
  assert.equal(shown(html``), '')
})

test('in textarea and title markup is shown, not opened', () => {
  assert.equal(
    shown(html`<textarea>${html`</textarea>`}${x}</textarea>${html`<b>`}`),
    `<textarea>&lt;/textarea&gt;${xEncoded}</textarea><b>`,
  )
})

test('OU-11 a URL attribute: the first hole may be a URL, the others are components, the whole is checked', () => {
  assert.equal(shown(html`<a href="${'https://a.example/b?c=d&e'}">`), '<a href="https://a.example/b?c=d&amp;e">')
  assert.equal(
    shown(html`<a href="/u/${'a/../b'}?q=${'c&d=e"'}#${encodeFor.url('f g')}">`),
    '<a href="/u/a%2F..%2Fb?q=c%26d%3De%22#f%20g">',
  )
  assert.equal(shown(html`<img src='${'/a'}/${'b c'}' alt="${'c d'}">`), '<img src=\'/a/b%20c\' alt="c d">')
  assert.equal(shown(html`<a href="/a?b=c&amp;d=${'<'}&amp;e">`), '<a href="/a?b=c&amp;d=%3C&amp;e">')
  assert.equal(shown(html`<a href="${null}">`), '<a href="">')
  for (const name of [
    'javascript:alert(1)',
    'java\tscript:alert(1)',
    ' data:text/html,x',
    '//evil.example',
    'VBSCRIPT:x',
    '\\\\evil',
  ]) {
    assert.throws(() => html`<a href="${name}">`, { code: 'SWS_UNSAFE_URL', message: /^The value of href must/ })
    assert.throws(() => html`<a xlink:href="${name}">`, { code: 'SWS_UNSAFE_URL' })
    assert.throws(() => html`<form action='${name}'></form>`, { code: 'SWS_UNSAFE_URL' })
    assert.throws(() => html`<button formaction="${name}">`, { code: 'SWS_UNSAFE_URL' })
    assert.throws(() => html`<img src="${dangerouslyTrustHtml(name)}">`, { code: 'SWS_UNSAFE_URL' })
  }
  // Put together from parts that are harmless each.
  assert.throws(() => html`<a href="${'javascript'}:alert(1)">`, { code: 'SWS_UNSAFE_URL' })
  assert.throws(() => html`<a href="${''}/${''}/evil.example">`, { code: 'SWS_UNSAFE_URL' })
  assert.throws(() => html`<a href="${'/'}/evil.example">`, { code: 'SWS_UNSAFE_URL' })
  assert.equal(shown(html`<a href="${'java'}${'script:x'}">`), '<a href="javascript%3Ax">')
  // A second URL attribute begins anew.
  assert.equal(shown(html`<a href="${'/a'}" cite="${'/b'}">`), '<a href="/a" cite="/b">')
  assert.equal(shown(html`<a href="${'/a'}" cite="${'mailto:b'}">`), '<a href="/a" cite="mailto:b">')
  assert.throws(() => html`<a href="${'/a'}" cite="${'//evil.example'}">`, { code: 'SWS_UNSAFE_URL' })
})

// html(["<script>" + input]): called like this, nobody wrote the markup in the source.
test('called as a function with strings from elsewhere it refuses', () => {
  const strings = Object.assign(['<b>', '</b>'], { raw: ['<b>', '</b>'] })
  for (const given of [['<b>'], strings, '<b>', undefined, Object.freeze(['<b>', '</b>'])]) {
    assert.throws(() => Reflect.apply(html, undefined, [given, 'x']), { code: 'SWS_UNSAFE_TEMPLATE' })
  }
})

test('in a real parser no value of a hole changes the structure, and each arrives as itself', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '=', '/', ' ', '`', '-', '!', 'a', ';', '#') }),
    fc.constantFrom('--><script>', '</p></textarea>', '" onload="x', '&lt;', '{{x}}', ']]>', 'amp;'),
  )
  fc.assert(
    fc.property(nasty, nasty, (one, other) => {
      const host = document.createElement('div')
      host.innerHTML = shown(
        html`<p title="a${one}b" lang='${other}'>${one}<b>${other}</b></p><textarea>x${one}</textarea><a href="/x?${other}">y</a>`,
      )
      assert.deepEqual(
        [...host.querySelectorAll('*')].map(({ localName }) => localName),
        ['p', 'b', 'textarea', 'a'],
      )
      const [p, textarea, a] = host.children
      const lines = (text: string) => text.replaceAll('\r\n', '\n').replaceAll('\r', '\n')
      assert.deepEqual(p?.getAttributeNames(), ['title', 'lang'])
      assert.equal(p?.getAttribute('title'), lines(`a${one}b`))
      assert.equal(p?.getAttribute('lang'), lines(other))
      assert.equal(p?.textContent, lines(one + other))
      assert.equal(textarea?.textContent, lines(`x${one}`))
      assert.equal(decodeURIComponent(a?.getAttribute('href') ?? ''), `/x?${other}`)
    }),
    { numRuns: 100 },
  )
})

/** The strings of a template whose holes are written `{}`, so that names can come from a table. */
function withHoles(markup: string): TemplateStringsArray {
  const parts = markup.split('{}')
  return Object.freeze(Object.assign(parts, { raw: Object.freeze([...parts]) }))
}

const cannotTake = (what: string) => ({ code: 'SWS_UNSAFE_TEMPLATE', message: `html\`\` cannot take ${what}` })
const standsElsewhere = 'holes stand in text and in quoted attribute values'
const leftOpen = 'an element, attribute or comment that is left open: close it in the same template'
const noReference = 'a hole after &: write &amp;'
const noBeginning = 'this beginning of href: URLs are http:, https:, mailto: or relative'

// What the author of a template is told: which thing is wrong, and what to write instead.
const refusals: readonly (readonly [attack: string, markup: string, what: string])[] = [
  ['NUL', '<p>\0</p>', 'NUL: leave it out'],
  ['tag left open', '<p', leftOpen],
  ['tag left open after a hole', '{}<p', leftOpen],
  ['attribute left open', '<p title="{}', leftOpen],
  ['comment left open', '{}<!-- a', leftOpen],
  ['doctype left open', '{}<!doctype html', leftOpen],
  ['script left open', '{}<script>', leftOpen],
  ['textarea left open', '<textarea>{}', leftOpen],
  ['tag', '<a {}>', `a hole in a tag: ${standsElsewhere}`],
  ['tag, after /', '<a/{}>', `a hole in a tag: ${standsElsewhere}`],
  ['tag, after a quoted value', '<a b="c"{}>', `a hole in a tag: ${standsElsewhere}`],
  ['tag, after a quoted value and a space', '<a b="c" {}>', `a hole in a tag: ${standsElsewhere}`],
  ['tag, after an unquoted value', '<a b=c {}>', `a hole in a tag: ${standsElsewhere}`],
  ['end tag of a script', '<script></script {}>', `a hole in a tag: ${standsElsewhere}`],
  ['tag name', '<a{}>', `a hole in the name of an element or attribute: ${standsElsewhere}`],
  ['end tag name', '</a{}>', `a hole in the name of an element or attribute: ${standsElsewhere}`],
  ['attribute name', '<a b{}="c">', `a hole in the name of an element or attribute: ${standsElsewhere}`],
  ['after =', '<a b={}>', `a hole in an unquoted attribute: ${standsElsewhere}`],
  ['after = and a space', '<a b= {}>', `a hole in an unquoted attribute: ${standsElsewhere}`],
  ['unquoted value', '<a b=c{}>', `a hole in an unquoted attribute: ${standsElsewhere}`],
  ['comment', '<!-- a > b {} -->', `a hole in a comment: ${standsElsewhere}`],
  ['comment, at its start', '<!--{}-->', `a hole in a comment: ${standsElsewhere}`],
  ['doctype', '<!doctype {}>', `a hole in a doctype: ${standsElsewhere}`],
  ['doctype, later', '<!DOCTYPE html {}>', `a hole in a doctype: ${standsElsewhere}`],
  ['--!> in a comment', '<!-- --!> -->', '--!>, which ends a comment in browsers: leave it out'],
  ['--!> just before a hole', '<!-- --!>{} -->', '--!>, which ends a comment in browsers: leave it out'],
  ['empty comment', 'a<!-->{}-->', 'an empty comment: leave it out'],
  ['empty comment with a hyphen', 'a<!--->{}-->', 'an empty comment: leave it out'],
  ['CDATA', '<![CDATA[{}]]>', 'a < that opens no element: write &lt;, or the name of the element'],
  ['doctype without a space', '<!doctypehtml>', 'a < that opens no element: write &lt;, or the name of the element'],
  ['script hidden in a script', '<script><!--</script>{}', '<!-- in <script>: leave it out'],
  ['comment in a textarea', '<textarea><!-- {}</textarea>', '<!-- in <textarea>: leave it out'],
  ['= without a value', '<a b=>{}', 'the attribute b without a value: write it without ='],
  ['= without a name', '<a ="b">{}', '= there: separate the attributes'],
  ['= without a name after a value', '<a b="c"="d">{}', '= there: separate the attributes'],
  ['= without a name after a value and a space', '<a b="c" ="d">{}', '= there: separate the attributes'],
  ['quote in a tag', '<a "b">{}', '" there: separate the attributes'],
  ['quote in a name', '<a b"c">{}', '" there: separate the attributes'],
  ['< in a tag', '<a <b>{}', '< there: separate the attributes'],
  ['attributes without a space', '<a b="c"d="e">{}', 'd there: separate the attributes'],
  ...['"', "'", '<', '=', '`'].map(
    (char) =>
      [
        `${char} in an unquoted value`,
        `<a b=c${char}d>{}`,
        `${char} in an unquoted attribute: quote the value`,
      ] as const,
  ),
  ['open reference', '&{}', noReference],
  ['open named reference', '<p>&col{}', noReference],
  ['open hexadecimal reference', '<p title="&#x3{}">', noReference],
  ['script', '<script>{}</script>', 'a hole in <script>: send it as a message'],
  ['script whose end tag is not whole', '<script></script{}></script>', 'a hole in <script>: send it as a message'],
  ['script in a script', '<script><script>{}</script>', 'a hole in <script>: send it as a message'],
  ['javascript: URL', '<a href="javascript:{}">', noBeginning],
  ['network-path URL', '<a href="//{}">', noBeginning],
  ['reference before a hole', '<a href="javascript&colon;{}">', '& in a URL with a hole: write &amp;'],
  ['reference between holes', '<a href="{}&colon;{}">', '& in a URL with a hole: write &amp;'],
  ['reference after a hole', '<a href="{}&colon;x">', '& in a URL with a hole: write &amp;'],
]
for (const [attack, markup, what] of refusals) {
  test(`the author is told what is wrong: ${attack}`, () => {
    assert.throws(() => html(withHoles(markup), 'x', 'x'), cannotTake(what))
  })
}
test('the author is told what is wrong: an invalid escape, a function call, a value that is not text', () => {
  assert.throws(() => html(template`\u`), cannotTake('an invalid escape sequence: write the character itself'))
  assert.throws(() => Reflect.apply(html, undefined, [['<b>']]), {
    code: 'SWS_UNSAFE_TEMPLATE',
    message: 'html is a template tag: write html`...`, not html(...)',
  })
  for (const [markup, where] of [
    ['<p>{}</p>', 'text'],
    ['<p title="{}">', 'an attribute'],
    ['<a href="{}">', 'a URL attribute'],
    ['<a href="/{}">', 'a URL attribute'],
  ] as const) {
    assert.throws(() => Reflect.apply(html, undefined, [withHoles(markup), { toString: () => '<b>' }]), {
      code: 'SWS_NOT_ENCODABLE',
      message: `A value of type object cannot stand in ${where} of html\`\``,
    })
  }
})

const rawElements = 'script style xmp iframe noembed noframes noscript'
const elementsWithoutHoles =
  'script style base meta link object embed applet param frame portal animate animatemotion animatetransform set'
const attributesWithoutHoles =
  'style srcdoc srcset imagesrcset ping sandbox allow csp is http-equiv attributename xmlns xml:base' +
  ' on onclick onnew x-data v-html hx-get ng-click data-x-on data-v-if data-hx-get data-ng-bind' +
  ' @click :href #slot [inner] a.b data-a.b a_b 1a -a a:b:c a:1 a: a:b-c'
const urlAttributes =
  'href src action formaction cite poster background longdesc usemap data manifest xlink:href icon codebase classid' +
  ' archive profile dynsrc lowsrc'
const plainAttributes =
  'title class id lang alt value data-one data-href data-styles data-texture data-actions data-binding aria-label my-x-data dv-a xml:lang a1 hrefs style-a isx'

test('every element whose content is not markup refuses a hole in it', () => {
  for (const element of rawElements.split(' ')) {
    const told = cannotTake(`a hole in <${element}>: send it as a message`)
    for (const name of [element, element.toUpperCase()]) {
      assert.throws(() => html(withHoles(`<${name}>{}</${name}>`), 'x'), told, name)
    }
    if (element === 'script' || element === 'style') {
      assert.throws(() => html(withHoles(`<${element}><b>{}</b></${element}>`), 'x'), told, element)
      assert.equal(
        shown(html(withHoles(`<${element}><b "</${element}>{}`), x)),
        `<${element}><b "</${element}>${xEncoded}`,
      )
    } else {
      // Where scripts are off, or where the element is dropped, a parser reads on in there: <p title="</xmp><b title="{}">.
      const markup = cannotTake(`< in <${element}>: leave the markup in it out`)
      assert.throws(() => html(withHoles(`<${element}><p title="</${element}><b title="{}">`), 'x'), markup, element)
    }
  }
})

test('every element whose attributes can become code refuses a hole in each of them', () => {
  for (const element of elementsWithoutHoles.split(' ')) {
    const told = cannotTake(`a hole in the attribute title of <${element}>: set it in a script instead`)
    for (const name of [element, element.toUpperCase()]) {
      assert.throws(() => html(withHoles(`<${name} title="{}"></${name}>`), 'x'), told, name)
    }
  }
})

test('every attribute that is code, policy or a list of URLs refuses a hole', () => {
  for (const attribute of attributesWithoutHoles.split(' ')) {
    const told = cannotTake(`a hole in the attribute ${attribute} of <p>: set it in a script instead`)
    for (const name of [attribute, attribute.toUpperCase()]) {
      assert.throws(() => html(withHoles(`<p ${name}="{}">`), 'x'), told, name)
      assert.throws(() => html(withHoles(`<p a b=c ${name} = 'x{}'>`), 'x'), told, name)
    }
  }
})

test('OU-11 every URL attribute has its value checked, and no other', () => {
  for (const name of urlAttributes.split(' ')) {
    const strings = withHoles(`<p ${name}="{}">`)
    assert.equal(shown(html(strings, '/a?b=c&d="')), `<p ${name}="/a?b=c&amp;d=&quot;">`)
    assert.equal(shown(html(withHoles(`<p ${name}="/{}">`), 'b/c')), `<p ${name}="/b%2Fc">`)
    assert.throws(() => html(strings, 'javascript:x'), {
      code: 'SWS_UNSAFE_URL',
      message: `The value of ${name} must be http:, https:, mailto: or relative to the page`,
    })
  }
  for (const name of plainAttributes.split(' ')) {
    assert.equal(shown(html(withHoles(`<p ${name}="{}">`), 'javascript:"')), `<p ${name}="javascript:&quot;">`)
  }
})

// What an over-eager reader would refuse or read as something else. In all of these the holes are text.
const accepted: Record<string, string> = {
  'a comment of no characters': '<!---->{}',
  'a comment that starts like an empty one': '<!--a>-->{}',
  'a comment that ends in <': '<!-- a<-->{}',
  '--!> before and after a comment': '--!><!-- a -->--!>{}',
  '--> before a comment': 'a --> b<!-- c -->{}',
  'two comments': '<!-- a --><!-- b -->{}',
  'a doctype before a comment': '<!doctype html><p>{}</p><!-- a -->',
  'a doctype at the end of a part': '<!doctype html>{}',
  'a doctype after text': 'a<!DOCTYPE\thtml>{}',
  'a doctype after a comment': '<!-- abcdefgh --><!doctype html>{}',
  'a < that opens nothing in a script': '<script>a < b && c <d</script>{}',
  'a start tag in a script': `<script>a = "<script '"</script>{}`,
  'what only looks like an end tag in a script': '<script></script"</script=</script></script>{}',
  'an end tag with a space, / or capitals': '<script></script ><style></style/><xmp></XMP>{}',
  'attributes without values': '<a b c="d" e>{}</a>',
  'unquoted values': '<a b=c d=e/f g= h/>{}</a>',
  'a tag in a quoted value': `<a b="<c>" d='"'>{}</a>`,
  'an & at the end': '{} &',
  'a reference that is closed': '&amp;{}&lt;{}',
  'an & before a hole, and a space': 'a & {}',
}
for (const [miss, markup] of Object.entries(accepted)) {
  test(`near miss, accepted: ${miss}`, () => {
    assert.equal(shown(html(withHoles(markup), x, x)), markup.replaceAll('{}', xEncoded))
  })
}

test('near miss: a tag name in a textarea does not open a tag', () => {
  assert.equal(
    shown(html(withHoles('<textarea><textarea {} < </textareas>{}</textarea>'), x, x)),
    `<textarea><textarea ${xEncoded} < </textareas>${xEncoded}</textarea>`,
  )
  assert.equal(shown(html(withHoles('<title><b>{}</title>'), html`<i>`)), '<title><b>&lt;i&gt;</title>')
})

test('OU-11 near misses: the URL is checked as a whole, and nothing but the URL', () => {
  assert.equal(
    shown(html(withHoles('<a href="{}//a.example/{}">'), 'https:', 'b/c')),
    '<a href="https://a.example/b%2Fc">',
  )
  assert.equal(
    shown(html(withHoles('<a href="/?b={}&amp;c={}&amp;d">'), '&', ':')),
    '<a href="/?b=%26&amp;c=%3A&amp;d">',
  )
  assert.equal(shown(html(withHoles('<a href="{}" title="b:c">&lt;</a>'), 'd')), '<a href="d" title="b:c">&lt;</a>')
  assert.equal(shown(html(withHoles('&lt;<a title="&lt;" href="b/{}">'), 'c')), '&lt;<a title="&lt;" href="b/c">')
  assert.throws(() => html(withHoles('<a href="{}&amp;b">'), 'javascript'), { code: 'SWS_UNSAFE_URL' })
  assert.throws(() => html(withHoles('<a href="{}:{}">'), 'javascript', 'x'), { code: 'SWS_UNSAFE_URL' })
})

test('the plan says of each hole where it stands', () => {
  const parts = ['', '<p title="', '"><textarea>', '</textarea><a href="', '/&amp;', '&amp;b" cite="/', '">']
  const url = { kind: 'url', name: 'href' }
  assert.deepEqual(planTemplate(parts), {
    texts: parts,
    holes: [
      { kind: 'text' },
      { kind: 'attribute' },
      { kind: 'attribute' },
      { ...url, before: '', whole: true, after: undefined },
      { ...url, before: '/&', whole: false, after: '&b' },
      { kind: 'url', name: 'cite', before: '/', whole: false, after: '' },
    ],
  })
})

// A template in a loop over thousands of rows: reading its markup again for each would cost more than the rows.
test('a template is read once, however often it runs', () => {
  let reads = 0
  const counted = new Proxy(withHoles('<p title="{}">{}</p>'), {
    get(strings, member, receiver) {
      reads += 1
      return Reflect.get(strings, member, receiver)
    },
  })
  assert.equal(shown(html(counted, 'a', 'b')), '<p title="a">b</p>')
  assert.ok(reads > 0)
  reads = 0
  assert.equal(shown(html(counted, '"', '<')), '<p title="&quot;">&lt;</p>')
  assert.equal(reads, 0)
})
